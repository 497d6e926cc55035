import { defineConfig } from "@playwright/test";

const voice = process.env.VIVA_VOICE;

export default defineConfig({
  testDir: ".",
  outputDir: process.env.VIVA_RESULTS ?? "results",
  // One machine, one mesh: two browsers would only wait for each other.
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: "list",
  use: {
    baseURL: process.env.VIVA_EDGE ?? "http://127.0.0.1:8080",
    permissions: ["microphone"],
    screenshot: "only-on-failure",
    // It is written of what passes as well, and takes as long as the rest.
    trace: process.env.VIVA_TRACE ? "retain-on-failure" : "off",
    launchOptions: {
      executablePath: process.env.VIVA_CHROMIUM_PATH ?? "",
      args: [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=user-gesture-required",
        ...(voice ? [`--use-file-for-fake-audio-capture=${voice}`] : []),
      ],
    },
  },
});
