/** A guest talks: start, microphone check, one spoken answer, and the report with its recording. */
import { expect, test, type Page } from "@playwright/test";
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

/** How loud the loudspeaker plays, as its worklet tells it, and where the transcript shows it. */
async function listenIn(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const told = { loudest: -90 };
    Object.assign(window, { told });
    window.AudioWorkletNode = class extends AudioWorkletNode {
      constructor(context: BaseAudioContext, name: string, options?: AudioWorkletNodeOptions) {
        super(context, name, options);
        if (name !== "viva-playback") return;
        this.port.addEventListener("message", ({ data }: MessageEvent<{ kind: string; db: number }>) => {
          if (data.kind === "level") told.loudest = Math.max(told.loudest, data.db);
        });
      }
    };
  });
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

  // A passage that a score rests on is played: it sounds, from its own words on.
  const passage = page.locator(".transcript [data-evidence]:not([aria-disabled=true])").first();
  await page.evaluate(() => Object.assign((window as unknown as { told: { loudest: number } }).told, { loudest: -90 }));
  await passage.click();
  await expect(page.getByRole("button", { name: /^Stop passage/ }).first()).toBeVisible();
  const current = page.locator(".transcript [aria-current=true]").first();
  await expect(current).toBeVisible();
  const words = await passage.evaluate((button) => {
    const marked = document.querySelector(".transcript [aria-current=true]") as Element;
    const between = document.createRange();
    // Some 300 ms before its words are played as well.
    const before = marked.compareDocumentPosition(button) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (before) between.setStartAfter(marked), between.setEndBefore(button);
    else between.setStartAfter(button), between.setEndBefore(marked);
    return between.toString().split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
  });
  expect(words, "words between the passage's number and the one that sounds first").toBeLessThanOrEqual(4);
  await expect(page.locator(".transcript mark[aria-current=true]").first()).toBeVisible();
  await expect.poll(() => page.evaluate(() => (window as unknown as { told: { loudest: number } }).told.loudest)).toBeGreaterThan(-45);
  await page.keyboard.press("Escape");
  await expect(current).toBeHidden();
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
