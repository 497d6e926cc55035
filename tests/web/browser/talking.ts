/** A guest's way through an interview, by typing. */
import { expect, type Page } from "@playwright/test";

/** From the start page to the microphone check, with one question. */
export async function toTheCheck(page: Page): Promise<void> {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.getByLabel("What position is it for?").fill("Backend engineer");
  await page.getByText("Adjust", { exact: true }).click();
  await page.getByRole("slider", { name: "Questions" }).fill("1");
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Can we hear each other?");
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
}

/** Answers once by typing, and ends; the page is the report's then. */
export async function talkByTyping(page: Page, answer: string): Promise<void> {
  await toTheCheck(page);
  await page.getByRole("button", { name: "Type instead of speaking" }).first().click();
  // What is said before the first question, or sooner than anyone can have read it, is no answer to it.
  await expect(page.getByRole("img", { name: "Question 1 of 1" })).toBeVisible();
  await expect(page.locator(".captions .interviewer").nth(1)).toBeVisible();
  await expect(page.locator(".presence.speaking")).toBeVisible();
  await expect(page.locator(".presence.listening")).toBeVisible();
  await page.getByLabel("Your answer").fill(answer);
  await page.keyboard.press("Control+Enter");
  await expect(page.locator(".captions .candidate").first()).toContainText(answer);
  await expect(page.locator(".captions .candidate + .interviewer").first()).toBeVisible();
  await endAndSeeTheReport(page);
}

export async function endAndSeeTheReport(page: Page): Promise<void> {
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "End and see the report" }).click();
  await expect(page).toHaveURL(/\/report\/[\w-]+$/, { timeout: 60_000 });
  await expect(page.locator(".report .transcript")).toBeVisible({ timeout: 60_000 });
}

export const MEMBER = { email: "someone@example.org", password: "a long enough one to keep" };
export const ANSWERS = { first: "First I read the traces of the slow request.", second: "Later I added an index and measured again." };

export async function fillIn(page: Page): Promise<void> {
  await page.getByLabel("E-mail").fill(MEMBER.email);
  await page.getByLabel("Password", { exact: true }).fill(MEMBER.password);
}
