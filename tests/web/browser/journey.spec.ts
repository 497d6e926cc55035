/** A guest talks: start, microphone check, one spoken answer, and the report with its recording. */
import { expect, test, type Page } from "@playwright/test";
import { expectPassageToSound, listenIn } from "./playing";
import { endAndSeeTheReport, toTheCheck } from "./talking";

/** What a guest must never see: the servers' own words. */
function watch(page: Page): string[] {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/favicon|Failed to load resource/.test(message.text())) errors.push(message.text());
  });
  return errors;
}

test("a guest answers by speaking and is led to the report", async ({ page }) => {
  const errors = watch(page);
  await listenIn(page);
  await toTheCheck(page);
  await page.getByRole("button", { name: "Play three notes" }).click();
  await page.getByRole("button", { name: "I heard them" }).click();
  // The recording in place of the microphone has been loud enough.
  await page.getByRole("button", { name: "Go to the interview" }).click();

  await expect(page.locator(".captions .interviewer").first()).toContainText(/\w+ \w+/);
  await expect(page.locator(".presence.speaking")).toBeVisible();
  await expect(page.locator(".presence.listening")).toBeVisible();
  await expect(page.locator(".captions .candidate").first()).toContainText(/\w+ \w+ \w+/, { timeout: 90_000 });
  // The interviewer replies to it.
  await expect(page.locator(".captions .candidate + .interviewer").first()).toBeVisible({ timeout: 60_000 });
  await endAndSeeTheReport(page);

  await expectPassageToSound(page);
  expect(errors).toEqual([]);
});

test("typing is an equal of talking, without a microphone", async ({ page }) => {
  await toTheCheck(page);
  await page.getByRole("button", { name: "Type instead of speaking" }).first().click();
  await expect(page.locator(".captions .interviewer").first()).toContainText(/\w+ \w+/);
  await expect(page.locator(".presence.listening")).toBeVisible();
  await page.getByLabel("Your answer").fill("I add an index when a query scans the whole table, and measure again.");
  await page.keyboard.press("Control+Enter");
  await expect(page.locator(".captions .candidate").first()).toContainText("I add an index");
});

test("a room that is loaded anew goes on where it was", async ({ page }) => {
  await toTheCheck(page);
  await page.getByRole("button", { name: "Type instead of speaking" }).first().click();
  await expect(page.locator(".captions .interviewer").first()).toContainText(/\w+ \w+/);
  await page.getByLabel("Your answer").fill("First I read the traces.");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.locator(".captions .candidate").first()).toContainText("First I read the traces.");
  await page.reload();
  await page.getByRole("button", { name: "Join the interview" }).click();
  await expect(page.locator(".captions .candidate").first()).toContainText("First I read the traces.");
  await page.getByLabel("Your answer").fill("Then I compare them with last week's.");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.locator(".captions .candidate").last()).toContainText("Then I compare them");
});

test("without WebSockets plain calls carry the interview", async ({ page }) => {
  await page.addInitScript(() => {
    window.WebSocket = class extends EventTarget {
      static readonly OPEN = 1;
      readyState = 3;
      bufferedAmount = 0;
      constructor() {
        super();
        setTimeout(() => this.dispatchEvent(new CloseEvent("close")));
      }
      send(): void {}
      close(): void {}
    } as unknown as typeof WebSocket;
  });
  await toTheCheck(page);
  await page.getByRole("button", { name: "Type instead of speaking" }).first().click();
  await expect(page.getByText("Connected without WebSocket")).toBeVisible();
  await expect(page.locator(".captions .interviewer").first()).toContainText(/\w+ \w+/);
  await page.getByLabel("Your answer").fill("I measure before I change anything.");
  await page.keyboard.press("Control+Enter");
  await expect(page.locator(".captions .candidate").first()).toContainText("I measure before");
});

test("another window takes the interview, and gives it back", async ({ page, context }) => {
  await toTheCheck(page);
  await page.getByRole("button", { name: "Type instead of speaking" }).first().click();
  await expect(page.locator(".captions .interviewer").first()).toContainText(/\w+ \w+/);
  const other = await context.newPage();
  await other.goto(page.url());
  await other.getByRole("button", { name: "Join the interview" }).click();
  await expect(page.getByText("This interview is open in another window").first()).toBeVisible();
  await page.getByRole("button", { name: "Use it here" }).click();
  await expect(other.getByText("This interview is open in another window").first()).toBeVisible();
  await page.getByLabel("Your answer").fill("I go on in the first window.");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.locator(".captions .candidate").last()).toContainText("I go on in the first window.");
});

test("a network that is gone for five seconds in mid-answer costs no turn", async ({ page, context }) => {
  await toTheCheck(page);
  await page.getByRole("button", { name: /Go (on|to)/ }).click();
  await expect(page.locator(".presence.speaking")).toBeVisible();
  await expect(page.locator(".captions .candidate").last()).toContainText(/\w+/, { timeout: 90_000 });
  await context.setOffline(true);
  await expect(page.getByText("Reconnecting", { exact: true })).toBeVisible();
  // The cut itself is five seconds long.
  await page.waitForTimeout(5_000);
  await context.setOffline(false);
  await expect(page.getByText("Connection good")).toBeAttached();
  await expect(page.getByText("Reconnecting", { exact: true })).toBeHidden();
  await expect(page.locator(".captions .candidate").first()).toContainText(/\w+ \w+ \w+/, { timeout: 90_000 });
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test("everything is in reach", async ({ page }) => {
    await toTheCheck(page);
    await page.getByRole("button", { name: /Go (on|to)/ }).click();
    await expect(page.locator(".captions .interviewer").first()).toContainText(/\w+ \w+/);
    for (const name of ["Mute", "Take your time", "Type", "Pause", "End"]) {
      const box = await page.getByRole("button", { name, exact: true }).boundingBox();
      expect(box && box.height >= 44 && box.y + box.height <= 740, name).toBe(true);
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
