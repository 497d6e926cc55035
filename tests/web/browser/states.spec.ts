/** Every state of the room, and the pages before it: no rule of accessibility broken, nothing too wide. */
import { readFileSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";

const STATES = (process.env.VIVA_STATES ?? "").split(" ").filter(Boolean);
const SHOTS = process.env.VIVA_SHOTS;
const SIZES = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 800 } };
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

const FONT = new URL("node_modules/@fontsource-variable/noto-sans-sc/", import.meta.url);

/** Chinese glyphs where this machine has none. */
async function withChineseFont(page: Page): Promise<void> {
  await page.route("**/noto/**", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
    return route.fulfill({ body: readFileSync(new URL(`files/${name}`, FONT)), contentType: "font/woff2" });
  });
}

async function look(page: Page, name: string): Promise<void> {
  const faces = readFileSync(new URL("index.css", FONT), "utf8").replaceAll("./files/", "/noto/");
  await page.addStyleTag({ content: `${faces} :root { --face: system-ui, "Noto Sans SC Variable", sans-serif !important; }` });
  await page.evaluate(() => document.fonts.ready);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png` });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, `${name} is too wide`).toBeLessThanOrEqual(0);
}

/** Without pictures wanted two are enough to have each language, theme and size once. */
const ALL = SHOTS !== undefined;
const LOOKS = ["en light desktop", "zh-CN dark phone"];

for (const language of ["en", "zh-CN"]) {
  for (const theme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      if (!ALL && !LOOKS.includes(`${language} ${theme} ${size}`)) continue;
      test.describe(`${language} ${theme} ${size}`, () => {
        test.use({ viewport, reducedMotion: "reduce" } as object);
        test.beforeEach(async ({ page }) => {
          await withChineseFont(page);
          await page.addInitScript(
            ([locale, colours]) => {
              localStorage.setItem("viva.locale", locale ?? "en");
              localStorage.setItem("viva.theme", colours ?? "light");
              localStorage.setItem("viva.interview-language", locale === "en" ? "en" : "zh");
            },
            [language, theme],
          );
        });

        test("the room in every state", async ({ page }) => {
          for (const state of STATES) {
            await page.goto(`/states.html?state=${state}`);
            await expect(page.locator(".room")).toBeVisible();
            await look(page, `room-${state}-${language}-${theme}-${size}`);
            const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
            expect(violations.map(({ id, nodes }) => `${state}: ${id} ${nodes[0]?.html}`)).toEqual([]);
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
            await look(page, `${name}-${language}-${theme}-${size}`);
            const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
            expect(violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html}`)).toEqual([]);
          }
        });
      });
    }
  }
}
