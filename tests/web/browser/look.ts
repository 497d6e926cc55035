/** How pages are looked at: with Chinese glyphs, in every language, theme and size, by axe. */
import { readFileSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";

const SHOTS = process.env.VIVA_SHOTS;
const SIZES = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 800 } };
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

const FONT = new URL("node_modules/@fontsource-variable/noto-sans-sc/", import.meta.url);
const FACES = readFileSync(new URL("index.css", FONT), "utf8").replaceAll("./files/", "/noto/");

/** Chinese glyphs where this machine has none. */
async function withChineseFont(page: Page): Promise<void> {
  await page.route("**/noto/**", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
    return route.fulfill({ body: readFileSync(new URL(`files/${name}`, FONT)), contentType: "font/woff2" });
  });
}

export async function look(page: Page, name: string, whole = false): Promise<void> {
  await page.addStyleTag({ content: `${FACES} :root { --face: system-ui, "Noto Sans SC Variable", sans-serif !important; }` });
  await page.evaluate(() => document.fonts.ready);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: whole });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, `${name} is too wide`).toBeLessThanOrEqual(0);
}

/** Breaks no rule of accessibility. The page is one frame: what axe finds need not be put together in a tab of its own. */
export async function accessible(page: Page, name: string): Promise<void> {
  const axe = new AxeBuilder({ page }).options({ resultTypes: ["violations"] }).withTags(RULES).setLegacyMode();
  const { violations } = await axe.analyze();
  expect(violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html}`)).toEqual([]);
}

/** Without pictures wanted two are enough to have each language, theme and size once. */
const ALL = SHOTS !== undefined;
const LOOKS = ["en light desktop", "zh-CN dark phone"];

/** Tests in every language, theme and size. */
export function everywhere(tests: (suffix: string, language: "en" | "zh-CN") => void): void {
  for (const language of ["en", "zh-CN"] as const) {
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
          tests(`${language}-${theme}-${size}`, language);
        });
      }
    }
  }
}
