/** Every state of the room, and the pages before it: no rule of accessibility broken, nothing too wide. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@playwright/test";
import { accessible, everywhere, look } from "./look";

const STATES = (process.env.VIVA_STATES ?? "").split(" ").filter(Boolean);

everywhere((suffix) => {
  test("the room in every state", async ({ page }) => {
    for (const state of STATES) {
      await page.goto(`/states.html?state=${state}`);
      await expect(page.locator(".room")).toBeVisible();
      await look(page, `room-${state}-${suffix}`);
      await accessible(page, state);
    }
  });

  test("the microphone check while it records, plays back, and is done", async ({ page }) => {
    await page.goto("/check/x");
    const row = page.locator(".part", { has: page.locator("[role=status]") }).first();
    await row.getByRole("button").first().click();
    await expect(row.locator(".told")).not.toBeEmpty();
    await look(page, `check-recording-${suffix}`);
    await accessible(page, "check-recording");
    // Whatever was in it: it was played, and may be recorded again.
    await expect(row.getByRole("button").first()).toHaveAttribute("aria-disabled", "false", { timeout: 15_000 });
    await look(page, `check-recorded-${suffix}`);
    await accessible(page, "check-recorded");
  });

  test("the room asks before it ends", async ({ page }) => {
    await page.goto("/states.html?state=listening");
    await page.locator(".buttons .end").click();
    await expect(page.locator("dialog")).toBeVisible();
    await look(page, `room-end-${suffix}`);
    await accessible(page, "room-end");
  });

  test("the pages before it", async ({ page }) => {
    for (const [name, path] of [
      ["start", "/"],
      ["check", "/check/x"],
      ["missing", "/nothing/here"],
    ] as const) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await look(page, `${name}-${suffix}`);
      await accessible(page, name);
    }
  });
});

test("sound that did not load is told, and loads when it is tried again", async ({ page }) => {
  // Playwright's routes do not see what a worklet fetches.
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.url?.includes("capture.worklet") && ++asked === 1) return void response.writeHead(503).end();
    void fetch(new URL(request.url ?? "/", process.env.VIVA_EDGE)).then(async (answer) => {
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/check/x`);
  await expect(page.getByRole("alert")).toContainText("The sound could not be loaded");
  await page.getByRole("alert").getByRole("button", { name: "Check again" }).click();
  await expect(page.getByRole("alert")).toBeHidden();
  await expect(page.getByText("Record 3 seconds")).toHaveAttribute("aria-disabled", "false");
  expect(asked).toBe(2);
  server.closeAllConnections();
  server.close();
});

test("whoever types is told of typing, and can speak instead", async ({ page }) => {
  await page.goto("/states.html?state=lost-typing");
  await expect(page.getByText("what you send is kept")).toBeVisible();
  await page.goto("/states.html?state=typing");
  await expect(page.getByRole("button", { name: "Speak" })).toBeEnabled();
});

test("an address without https says what is needed", async ({ page }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, "isSecureContext", { value: false });
    Object.defineProperty(crypto, "randomUUID", { value: undefined });
  });
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Viva needs a secure address");
  await look(page, "insecure");
  await accessible(page, "insecure");
});
