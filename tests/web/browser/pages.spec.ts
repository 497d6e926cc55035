/** The pages around the room, against recorded answers: how they look in each state, and what they do. */
import { expect, test, type Page } from "@playwright/test";
import { accessible, everywhere, look } from "./look";
import { expectPassageToSound, listenIn } from "./playing";

/** Each page in each state, and what shows that it is there. */
const STATES = [
  ["report", "/report/x", "full", ".report .transcript"],
  ["report-empty", "/report/x", "empty", ".report"],
  ["report-writing", "/report/x", "writing", ".notice"],
  ["report-live", "/report/x", "live", ".notice a"],
  ["report-error", "/report/x", "error", "[role=alert]"],
  ["report-loading", "/report/x", "never", ".loading"],
  ["history", "/history", "full", ".chart canvas"],
  ["history-empty", "/history", "empty", ".empty"],
  ["history-error", "/history", "error", "[role=alert]"],
  ["account", "/account", "full", ".sessions li"],
  ["account-guest", "/account", "guest", ".data"],
  ["account-nobody", "/account", "nobody", "form"],
  ["account-error", "/account", "error", "[role=alert]"],
  ["reset", "/reset#token=new", "nobody", "form"],
  ["settings", "/settings", "full", "fieldset:nth-of-type(7)"],
  ["settings-nobody", "/settings", "nobody", "fieldset"],
  ["questions", "/questions", "full", ".list"],
  ["questions-empty", "/questions", "empty", ".none"],
  ["questions-error", "/questions", "error", "[role=alert]"],
] as const;

async function open(page: Page, path: string, answers: string): Promise<void> {
  await page.goto(`/pages.html?answers=${answers}&page=${encodeURIComponent(path)}`);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
}

everywhere((suffix, language) => {
  test("every page in every state", async ({ page }) => {
    const raw: string[] = [];
    page.on("console", (message) => {
      // A word that is missing is told there, and so is an error that nobody handled.
      if (message.type() === "error" || message.text().includes("intlify")) raw.push(message.text());
    });
    page.on("pageerror", (error) => raw.push(String(error)));
    for (const [name, path, answers, sign] of STATES) {
      await open(page, path, answers);
      await expect(page.locator(sign).first()).toBeVisible();
      await look(page, `${name}-${suffix}`, true);
      await accessible(page, name);
      const shown = await page.locator("#app").innerText();
      expect(shown, name).not.toMatch(/recorded|\[[a-z_]+\]|[a-z]+\.[a-z]+[A-Z]\w+|undefined|NaN|\{\w+\}/);
      if (language === "en") expect(shown.replaceAll("中文", ""), name).not.toMatch(/\p{Script=Han}/u);
    }
    expect(raw).toEqual([]);
  });

  test("what a guest is asked who signs in", async ({ page }) => {
    await open(page, "/account", "guest");
    const form = page.locator(".forms");
    await form.locator(".ways button").nth(1).click();
    await expect(form.locator("[name=keep]").first()).toBeChecked();
    await look(page, `account-keep-${suffix}`, true);
    await accessible(page, "account-keep");
    await form.locator("#email").fill("full@example.org");
    await form.locator("[type=password]").fill("a long enough one");
    await form.locator("[type=submit]").click();
    await expect(page.getByRole("alert")).toBeVisible();
    await look(page, `account-no-room-${suffix}`, true);
    await accessible(page, "account-no-room");
    await form.locator("#email").fill("someone@example.org");
    await form.locator("[type=submit]").click();
    await expect(page.locator(".notice a")).toBeVisible();
    await look(page, `account-brought-${suffix}`, true);
    await accessible(page, "account-brought");
  });
});

test.describe("what they do", () => {
  test("a passage is reached, played and stopped with the keyboard alone", async ({ page }) => {
    await open(page, "/report/x", "full");
    const first = page.getByRole("button", { name: "Play passage 1" }).first();
    await first.focus();
    await page.keyboard.press("ArrowDown");
    await expect(page.locator("[data-evidence]").nth(1)).toBeFocused();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("button", { name: "Stop passage 1" }).first()).toBeVisible();
    await expect(page.locator("[aria-current=true]").first()).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(first).toBeVisible();
    await expect(first).toBeFocused();
  });

  test("a passage sounds, and the word that sounds is marked", async ({ page }) => {
    await listenIn(page);
    await open(page, "/report/x", "full");
    await expectPassageToSound(page);
  });

  test("a typed passage cannot be played, and says so", async ({ page }) => {
    await open(page, "/report/x", "full");
    const typed = page.getByRole("button", { name: /typed: nothing to play/ }).first();
    await expect(typed).toHaveAttribute("aria-disabled", "true");
  });

  test("an interview is deleted only after it was asked", async ({ page }) => {
    await open(page, "/history", "full");
    await expect(page.locator(".list li")).toHaveCount(5);
    await page.getByRole("button", { name: /^Delete/ }).last().click();
    await page.getByRole("button", { name: "Keep it" }).click();
    await expect(page.locator(".list li")).toHaveCount(5);
    await page.getByRole("button", { name: /^Delete/ }).last().click();
    await page.locator("dialog").getByRole("button", { name: "Delete" }).click();
    await expect(page.locator(".list li")).toHaveCount(4);
    await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  });

  test("a guest registers; what was typed survives a refusal", async ({ page }) => {
    await open(page, "/account", "guest");
    await page.getByLabel("E-mail").fill("taken@example.org");
    await page.getByLabel("Password", { exact: true }).fill("short");
    await page.locator("form").getByRole("button", { name: "Create account" }).click();
    await expect(page.getByText("At least 10 characters are needed.")).toBeVisible();
    await page.getByLabel("Password", { exact: true }).fill("a long enough one");
    await page.locator("form").getByRole("button", { name: "Create account" }).click();
    await expect(page.getByLabel("E-mail")).toHaveValue("taken@example.org");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByLabel("E-mail").fill("someone@example.org");
    await page.locator("form").getByRole("button", { name: "Create account" }).click();
    await expect(page.getByText("someone@example.org")).toBeVisible();
    await expect(page.getByRole("button", { name: "Sign out everywhere" })).toBeVisible();
  });

  test("a guest who signs in is asked what becomes of their interview", async ({ page }) => {
    await open(page, "/account", "guest");
    await expect(page.getByText("You held 1 interview as a guest")).toBeHidden();
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("radio", { name: "Keep it in this account" })).toBeChecked();
    await page.getByLabel("E-mail").fill("someone@example.org");
    await page.getByLabel("Password", { exact: true }).fill("a long enough one");
    await page.locator("form").getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByText("Your interview as a guest is in this account now.")).toBeVisible();
    await expect(page.getByRole("link", { name: "See my interviews" })).toBeVisible();
    await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  });

  test("whoever leaves it behind is told nothing came along", async ({ page }) => {
    await open(page, "/account", "guest");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("radio", { name: "Leave it behind" }).check();
    await page.getByLabel("E-mail").fill("someone@example.org");
    await page.getByLabel("Password", { exact: true }).fill("a long enough one");
    await page.locator("form").getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByText("someone@example.org")).toBeVisible();
    await expect(page.getByText("is in this account now")).toBeHidden();
  });

  test("an account that takes no more offers both ways, and keeps what was typed", async ({ page }) => {
    await open(page, "/account", "guest");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("E-mail").fill("full@example.org");
    await page.getByLabel("Password", { exact: true }).fill("a long enough one");
    await page.locator("form").getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("This account has no interviews left this month");
    await expect(page.getByRole("alert").getByRole("button", { name: "Create account" })).toBeVisible();
    await page.getByRole("button", { name: "Sign in without it" }).click();
    await expect(page.getByText("full@example.org")).toBeVisible();
  });

  test("an account is deleted only after it was asked, and the page says what went", async ({ page }) => {
    await open(page, "/account", "full");
    await page.getByRole("button", { name: "Delete the account" }).click();
    await page.locator("dialog").getByLabel("Password", { exact: true }).fill("a long enough one");
    await page.getByRole("button", { name: "Delete everything" }).click();
    await expect(page.getByText("Your account is deleted: 5 interviews")).toBeVisible();
    await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  });

  test("a setting shows at once and can be undone", async ({ page }) => {
    await open(page, "/settings", "full");
    await page.getByRole("radio", { name: "Dark" }).check();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
    await expect(page.getByText("Saved.")).toBeVisible();
    await page.getByRole("button", { name: "Undo" }).click();
    await expect(page.locator("html")).not.toHaveAttribute("data-theme", "dark");
  });

  test("questions are found while one types, and ten at most are chosen", async ({ page }) => {
    await open(page, "/questions", "full");
    await expect(page.locator(".list > li")).toHaveCount(2);
    await page.getByLabel("Search by meaning").fill("index");
    await expect(page.locator(".list > li")).toHaveCount(1);
    await page.getByRole("button", { name: /^Choose/ }).click();
    await expect(page.getByText("1 of 10 chosen").last()).toBeVisible();
    await page.getByRole("button", { name: "Practise these" }).click();
    await expect(page).toHaveURL(/\/check\/new/);
  });

  test("on paper there are no buttons", async ({ page }) => {
    await open(page, "/report/x", "full");
    await page.emulateMedia({ media: "print" });
    await expect(page.locator(".no-print").first()).toBeHidden();
    await expect(page.locator("header.header")).toBeHidden();
    await expect(page.locator(".transcript")).toBeVisible();
  });
});
