/** What a page is to bear before it is done: slow answers, zoom, spacing, less motion, no mouse. Against recorded answers. */
import { expect, test, type Locator, type Page } from "@playwright/test";

/** Every page, with what shows that it is there. */
const PAGES = [
  ["/", "full", "form"],
  ["/check/new", "full", "[role=meter]"],
  ["/room/new", "full", ".room"],
  ["/report/x", "full", ".report .transcript"],
  ["/history", "full", ".list"],
  ["/questions", "full", ".list"],
  ["/settings", "full", "fieldset:nth-of-type(7)"],
  ["/account", "full", ".sessions li"],
  ["/account", "guest", "form"],
  ["/reset#token=new", "nobody", "form"],
  ["/nothing/here", "full", "h1"],
] as const;
const ROOM = (process.env.VIVA_STATES ?? "").split(" ").filter(Boolean);
if (ROOM.length === 0) throw new Error("VIVA_STATES names the room's states");

async function open(page: Page, path: string, answers: string, sign = "h1"): Promise<void> {
  await page.goto(`/pages.html?answers=${answers}&page=${encodeURIComponent(path)}`);
  await expect(page.locator(sign).first()).toBeVisible();
}

/** Everything there is to see, one after the other. */
async function everyPage(page: Page, seen: (name: string) => Promise<void>): Promise<void> {
  for (const [path, answers, sign] of PAGES) {
    await open(page, path, answers, sign);
    await seen(`${path} ${answers}`);
  }
  for (const state of ROOM) {
    await page.goto(`/states.html?state=${state}`);
    await expect(page.locator(".room")).toBeVisible();
    await seen(`room ${state}`);
  }
}

test("nothing moves under the reader while answers come late", async ({ page }) => {
  await page.addInitScript(() => {
    const shifts: string[] = [];
    Object.assign(window, { shifts, shift: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean; sources: { node: Element | null }[] }[]) {
        if (entry.hadRecentInput) continue;
        (window as unknown as { shift: number }).shift += entry.value;
        shifts.push(`${entry.value.toFixed(3)} ${entry.sources.map(({ node }) => node?.className || node?.nodeName).join(", ")}`);
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  const told = () =>
    page.evaluate(() => {
      const { shift, shifts } = window as unknown as { shift: number; shifts: string[] };
      return { shift, shifts };
    });
  for (const [path, answers, sign] of PAGES) {
    await open(page, path, answers === "full" ? "late" : answers, sign);
    // Two frames later what has moved is on record.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const { shift, shifts } = await told();
    expect(shift, `${path} ${answers}: ${shifts.join("; ")}`).toBeLessThan(0.05);
  }
  // And it would have been seen.
  await page.evaluate(() => document.querySelector("main")?.prepend(Object.assign(document.createElement("div"), { style: "height: 300px" })));
  await expect.poll(async () => (await told()).shift).toBeGreaterThan(0.05);
});

/** Half of 1280 is what 200 % zoom leaves; 320 is what 400 % does (WCAG 1.4.10). */
const ZOOMED = [
  { width: 640, height: 400 },
  { width: 320, height: 640 },
];

test("zoomed, spaced out and without motion every page is whole", async ({ page }) => {
  await page.goto("/states.html?state=thinking");
  await expect(page.locator(".presence.thinking")).toBeVisible();
  // Otherwise the arc goes round.
  await expect.poll(() => moving(page)).toBeGreaterThan(0);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await everyPage(page, async (name) => {
    expect(await moving(page), name).toBe(0);
    for (const size of ZOOMED) {
      await page.setViewportSize(size);
      await fits(page, `${name} at ${size.width} px`);
    }
    // What a reader may set (WCAG 1.4.12).
    await page.addStyleTag({ content: "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }" });
    for (const size of ZOOMED) {
      await page.setViewportSize(size);
      await fits(page, `${name} at ${size.width} px, spaced out`);
    }
  });
  // Nothing that moves is told by its motion alone.
  await page.goto("/states.html?state=thinking");
  await expect(page.locator(".presence.thinking")).toBeVisible();
});

/** How many things move; what fades stays in its place: the look keeps that (base.css). */
function moving(page: Page): Promise<number> {
  return page.evaluate(() => {
    const running = document.getAnimations().filter(({ playState }) => playState === "running");
    return running.filter((one) => !(one instanceof CSSTransition && one.transitionProperty === "opacity")).length;
  });
}

/** Nothing sticks out; a chart is drawn anew a moment after its place has changed. */
async function fits(page: Page, name: string): Promise<void> {
  await expect.poll(() => tooWide(page), { message: name, timeout: 5_000 }).toEqual([]);
}

/** What sticks out on the right, other than what scrolls by itself. */
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const out = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > clientWidth + 1);
    return [`${scrollWidth} of ${clientWidth}: ${out.slice(0, 3).map((one) => one.outerHTML.slice(0, 90)).join(" | ")}`];
  });
}

test("in a low window what can be done in the room is in reach", async ({ page }) => {
  await page.setViewportSize({ width: 640, height: 400 });
  for (const state of ROOM) {
    await page.goto(`/states.html?state=${state}`);
    await expect(page.locator(".room")).toBeVisible();
    for (const button of await page.locator(".room button:visible:enabled").all()) {
      await button.click({ trial: true, timeout: 5_000 }).catch(async (error: unknown) => {
        throw new Error(`${state}: ${await button.innerText()}`, { cause: error });
      });
    }
  }
});

/** What a phone's browser leaves of its window. */
const PHONES = [
  { width: 360, height: 640 },
  { width: 390, height: 664 },
  { width: 360, height: 740 },
];

test("on a phone nothing that is told pushes the controls out of sight, and captions can be read", async ({ page }) => {
  const whole = async (name: string) => {
    for (const viewport of PHONES) {
      await page.setViewportSize(viewport);
      const found = await page.evaluate(() => {
        const box = (one: Element) => one.getBoundingClientRect();
        const controls = box(document.querySelector(".controls") as Element);
        const captions = box(document.querySelector(".captions") as Element);
        const notice = document.querySelector(".notice");
        const below = [...document.querySelectorAll(".controls button, .controls textarea")].filter((one) => box(one).bottom > innerHeight);
        return {
          below: below.map((one) => one.textContent),
          captions: Math.min(captions.bottom, controls.top) - captions.top,
          notices: notice ? box(document.querySelector(".notices") as Element).height : undefined,
        };
      });
      const where = `${name} at ${viewport.width} x ${viewport.height}`;
      expect(found.below, where).toEqual([]);
      // Who speaks, and two lines of what they say.
      expect(found.captions, `${where}: captions, px`).toBeGreaterThanOrEqual(96);
      if (found.notices !== undefined) expect(found.notices, `${where}: notices, px`).toBeGreaterThanOrEqual(64);
    }
  };
  for (const state of ["listening", "slow", "lost", "lost-typing", "no-voice", "no-ears", "no-model", "no-store", "repeat", "everything", "denied"]) {
    for (const typed of ["", "&typed"]) {
      await page.goto(`/states.html?state=${state}${typed}`);
      await expect(page.locator(".controls")).toBeVisible();
      await whole(`${state}${typed}`);
      // Whoever speaks may type this once.
      const type = page.getByRole("button", { name: "Type", exact: true });
      if ((await type.count()) === 0) continue;
      await type.click();
      await expect(page.locator("textarea")).toBeVisible();
      await whole(`${state}, typing once`);
    }
  }
  // That there is no network is told above the room.
  await open(page, "/room/new?answers=typed", "full", ".room");
  await page.getByRole("button", { name: "Join the interview" }).click();
  await expect(page.locator(".captions .interviewer").first()).toBeVisible();
  await page.context().setOffline(true);
  await expect(page.getByText("You are offline.")).toBeVisible();
  await whole("offline");
  await page.context().setOffline(false);
});

test.describe("without a mouse", () => {
  /** Goes on with Tab until this has the focus, which can be seen. */
  async function tabTo(page: Page, wanted: Locator): Promise<void> {
    await expect(wanted).toBeVisible();
    for (let steps = 0; steps < 60; steps += 1) {
      if (await wanted.evaluate((one) => one === document.activeElement)) {
        const seen = await wanted.evaluate((one) => {
          const holder = one.closest(".option") ?? one;
          return one.matches(":focus-visible") && getComputedStyle(holder).outlineStyle !== "none";
        });
        expect(seen, "the focus can be seen").toBe(true);
        return;
      }
      await page.keyboard.press("Tab");
    }
    throw new Error(`not reached: ${await wanted.evaluate((one) => one.outerHTML.slice(0, 120))}`);
  }

  async function press(page: Page, name: string | RegExp): Promise<void> {
    await tabTo(page, page.getByRole("button", { name, exact: typeof name === "string" }));
    await page.keyboard.press("Enter");
  }

  test("an interview is begun, held and ended", async ({ page }) => {
    await open(page, "/", "full");
    await tabTo(page, page.getByLabel("What position is it for?"));
    await page.keyboard.type("Backend engineer");
    await tabTo(page, page.getByRole("radio", { name: "English" }));
    await page.keyboard.press("ArrowRight");
    await expect(page.getByRole("radio", { name: "中文" })).toBeChecked();
    await page.keyboard.press("ArrowLeft");
    await tabTo(page, page.locator("summary"));
    await page.keyboard.press("Enter");
    await tabTo(page, page.getByRole("slider", { name: "Questions" }));
    await page.keyboard.press("Home");
    await expect(page.getByText("1 question", { exact: true })).toBeVisible();
    await press(page, "Start");

    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Can we hear each other?");
    await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
    await press(page, "Record 3 seconds");
    await expect(page.getByText("Speak now…")).toBeVisible();
    await expect(page.getByText("This is how you sound…")).toBeVisible();
    await press(page, "I heard myself");
    // The focus has gone on to the next step.
    await expect(page.getByRole("button", { name: "Go to the interview" })).toBeFocused();
    await page.keyboard.press("Enter");

    await expect(page).toHaveURL(/\/room\/new/);
    await expect(page.locator(".captions .interviewer").last()).toBeVisible();
    await press(page, "Type");
    await expect(page.getByLabel("Your answer")).toBeFocused();
    await page.keyboard.type("I read the traces first.");
    await page.keyboard.press("Control+Enter");
    await expect(page.locator(".captions .candidate").first()).toContainText("I read the traces first.");
    await press(page, "End");
    await expect(page.getByRole("dialog")).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toBeHidden();
    await expect(page.getByRole("button", { name: "End", exact: true })).toBeFocused();
    await page.keyboard.press("Enter");
    await press(page, "End and see the report");
    await expect(page).toHaveURL(/\/report\/new/);
    await expect(page.locator(".report .transcript")).toBeVisible();
    await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  });
});
