/** A report's passage that is played: whether it sounds, and what is marked meanwhile. */
import { expect, type Page } from "@playwright/test";

interface Told {
  /** dBFS, as the loudspeaker's worklet tells it. */
  loudest: number;
  /** How many words lie between the passage's number and the one that was marked first; -1 as long as none was. */
  away: number;
  /** Whether a word of the passage itself was marked. */
  within: boolean;
}

/** Before the page: has the loudspeaker tell how loud it is. */
export async function listenIn(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const told: Told = { loudest: -90, away: -1, within: false };
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

/** The first passage of the transcript sounds, and the words that are marked begin with its own. */
export async function expectPassageToSound(page: Page): Promise<void> {
  const told = () => page.evaluate(() => (window as unknown as { told: Told }).told);
  await page.evaluate(() => {
    const { told } = window as unknown as { told: Told };
    told.loudest = -90;
    const transcript = document.querySelector(".transcript") as Element;
    new MutationObserver(() => {
      const number = transcript.querySelector(".evidence.sounds");
      const marked = transcript.querySelector("[aria-current=true]");
      if (!number || !marked) return;
      told.within ||= marked.tagName === "MARK";
      if (told.away >= 0) return;
      const between = document.createRange();
      // Some 300 ms before its words are played as well.
      if (marked.compareDocumentPosition(number) & Node.DOCUMENT_POSITION_FOLLOWING) {
        between.setStartAfter(marked);
        between.setEndBefore(number);
      } else {
        between.setStartAfter(number);
        between.setEndBefore(marked);
      }
      told.away = between.toString().split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
    }).observe(transcript, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  await page.locator(".transcript [data-evidence]:not([aria-disabled=true])").first().click();
  await expect.poll(async () => (await told()).away).toBeGreaterThanOrEqual(0);
  expect((await told()).away).toBeLessThanOrEqual(4);
  await expect.poll(async () => (await told()).within).toBe(true);
  await expect.poll(async () => (await told()).loudest).toBeGreaterThan(-45);
  await page.keyboard.press("Escape");
  await expect(page.locator(".transcript [aria-current=true]")).toHaveCount(0);
}
