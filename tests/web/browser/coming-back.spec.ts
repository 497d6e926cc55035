/** After a restart, in a browser that knows nothing: a guest talks again, and logs in to the account they have. */
import { expect, test } from "@playwright/test";
import { ANSWERS, fillIn, MEMBER, talkByTyping } from "./talking";

test("whoever logs in finds the interview again, and brings along what they held as a guest", async ({ page }) => {
  await talkByTyping(page, ANSWERS.second);
  await page.goto("/account");
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await expect(page.getByRole("radio", { name: "Keep it in this account" })).toBeChecked();
  await fillIn(page);
  await page.locator("form").getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("Your interview as a guest is in this account now.")).toBeVisible();
  await expect(page.getByText(MEMBER.email)).toBeVisible();
  await expect(page.getByText("2 of 5 used")).toBeVisible();
  await page.getByRole("link", { name: "See my interviews" }).click();
  const held = page.locator(".list li");
  await expect(held).toHaveCount(2);
  // The newest first: what was said in each is there.
  for (const [at, answer] of [ANSWERS.second, ANSWERS.first].entries()) {
    await held.nth(at).getByRole("link").first().click();
    await expect(page.locator(".report .transcript")).toContainText(answer);
    await page.goBack();
    await expect(held).toHaveCount(2);
  }
});
