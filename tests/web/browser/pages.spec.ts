/** The pages around the room, against recorded answers: how they look in each state, and what they do. */
import { expect, test, type Page } from "@playwright/test";
import { accessible, everywhere, look } from "./look";
import { expectPassageToSound, listenIn } from "./playing";

/** Each page in each state, and what shows that it is there. */
const STATES = [
  ["report", "/report/x", "full", ".report .transcript"],
  ["report-practice", "/report/x", "practice", ".report .transcript"],
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
  ["reset-missing", "/reset", "nobody", ".notice a"],
  ["start", "/", "full", ".start"],
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
    // It is told, and stays while one signs in with it.
    await expect(page.getByRole("alert")).toContainText("There is an account with this e-mail");
    await expect(page.locator("form").getByRole("button", { name: "Sign in" })).toBeVisible();
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByLabel("E-mail").fill("someone@example.org");
    await page.locator("form").getByRole("button", { name: "Create account" }).click();
    await expect(page.getByText("someone@example.org")).toBeVisible();
    await expect(page.getByRole("button", { name: "Sign out everywhere" })).toBeVisible();
  });

  test("a password that is refused is told beside its own field", async ({ page }) => {
    await open(page, "/account", "full");
    await page.getByText("Change the password").click();
    await page.getByLabel("Current password").fill("wrong one");
    await page.getByLabel("New password").fill("a long enough one");
    await page.getByRole("button", { name: "Save the new password" }).click();
    await expect(page.getByLabel("Current password")).toHaveAttribute("aria-invalid", "true");
    await expect(page.getByLabel("Current password")).toHaveAccessibleDescription("This is not your password.");
    await expect(page.getByLabel("New password")).toHaveAttribute("aria-invalid", "false");
    await look(page, "account-wrong-current", true);

    await page.getByRole("button", { name: "Delete the account" }).click();
    const dialog = page.locator("dialog");
    await dialog.getByLabel("Password", { exact: true }).fill("wrong one");
    await dialog.getByRole("button", { name: "Delete everything" }).click();
    await expect(dialog.getByLabel("Password", { exact: true })).toHaveAccessibleDescription("This is not your password.");
    await look(page, "account-wrong-delete");
    await dialog.getByLabel("Password", { exact: true }).fill("the right one");
    await dialog.getByRole("button", { name: "Delete everything" }).click();
    await expect(page.getByText("Your account is deleted")).toBeVisible();
  });

  test("signing in without a password asks for one", async ({ page }) => {
    await open(page, "/account", "nobody");
    await page.getByLabel("E-mail").fill("someone@example.org");
    await page.locator("form").getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByLabel("Password", { exact: true })).toHaveAccessibleDescription("Enter the password.");
  });

  test("a member without interviews is told when there are more", async ({ page }) => {
    await open(page, "/", "full");
    await page.getByLabel("What position is it for?").fill("used");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await expect(page.getByRole("alert")).toContainText("You can begin again on December 1, 2026.");
    await expect(page.getByRole("alert").getByRole("button")).toHaveCount(0);
    await look(page, "start-month-used");
  });

  test("patience that was chosen on another device is what an interview begins with", async ({ page }) => {
    await open(page, "/", "full");
    await page.locator(".adjust summary").click();
    await expect(page.getByRole("radio", { name: "Patient" })).toBeChecked();
  });

  test("the English tutor is found from an interview in Chinese", async ({ page }) => {
    await open(page, "/", "full");
    await page.getByRole("radio", { name: "中文" }).check();
    await page.locator(".adjust summary").click();
    await look(page, "start-tutor", true);
    await page.getByRole("button", { name: "Practise speaking English instead" }).click();
    await expect(page.getByRole("radio", { name: "English", exact: true })).toBeChecked();
    await expect(page.getByRole("radio", { name: /English tutor/ })).toBeChecked();
  });

  test("whoever never signed in is told that, not that they are signed out", async ({ page }) => {
    await open(page, "/report/x", "nobody");
    await expect(page.getByRole("alert")).toContainText("You are not signed in");
    await expect(page.getByRole("alert").getByRole("button", { name: "Sign in" })).toBeVisible();
  });

  test("an interview that there is not is told of before the sound is tried", async ({ page }) => {
    await open(page, "/check/none", "full");
    await expect(page.getByRole("alert")).toContainText("This interview is not there");
    await expect(page.getByRole("button", { name: "Type instead of speaking" })).toHaveCount(0);
  });

  test("a finger is not told of the Ctrl key", async ({ browser }) => {
    for (const [hasTouch, said] of [[true, "Type your answer."], [false, "Type your answer. Ctrl + Enter sends it."]] as const) {
      const context = await browser.newContext({ hasTouch, isMobile: hasTouch });
      const page = await context.newPage();
      await page.goto("/states.html?state=typing");
      await expect(page.getByLabel("Your answer")).toHaveAttribute("placeholder", said);
      await context.close();
    }
  });

  test("a link that is no longer good leads to a new one", async ({ page }) => {
    await open(page, "/reset#token=old", "nobody");
    await page.getByLabel("New password").fill("a long enough one");
    await page.getByRole("button", { name: "Save the new password" }).click();
    await page.getByRole("button", { name: "Ask for a new link" }).click();
    await page.getByLabel("E-mail").fill("someone@example.org");
    await page.getByRole("button", { name: "Send the link" }).click();
    await expect(page.getByText("a message with a link is on its way")).toBeVisible();
  });

  test("practice says what its score rests on", async ({ page }) => {
    await open(page, "/report/x", "practice");
    await expect(page.getByText("the mistakes I am sure of")).toBeVisible();
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
