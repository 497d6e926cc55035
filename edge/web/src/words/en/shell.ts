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
  missing: {
    title: "There is nothing here",
    text: "The address may be mistyped, or what was here has been deleted.",
    action: "Go to the first page",
  },
};
