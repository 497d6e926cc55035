export default {
  pages: {
    start: "Interview",
    check: "Microphone check",
    room: "Interview room",
    report: "Report",
    history: "History",
    questions: "Questions",
    settings: "Settings",
    account: "Account",
    reset: "New password",
    missing: "Not found",
  },
  shell: {
    skip: "Skip to the page",
    home: "Viva, to the first page",
    nav: "Pages",
    theme: "Theme: {theme}",
    themes: { system: "as the system", light: "light", dark: "dark" },
    offline: "You are offline. You can keep reading; what you send waits until the connection is back.",
  },
  insecure: {
    title: "Viva needs a secure address",
    what: "This page was opened over plain http",
    advice: "Browsers give the microphone only to pages that come over https, or from localhost.",
    secure: "Open it over https",
    operator: "If that does not open, ask whoever runs this server to set up https. On the server's own machine, http://localhost works as well.",
  },
  missing: {
    title: "There is nothing here",
    text: "The address may be mistyped, or what was here has been deleted.",
    action: "Go to the first page",
  },
};
