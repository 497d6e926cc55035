/** Every state of the room, and the pages before it: no rule of accessibility broken, nothing too wide. */
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
