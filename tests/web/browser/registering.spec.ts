/** A guest talks, and registers. */
import { expect, test } from "@playwright/test";
import { ANSWERS, fillIn, MEMBER, talkByTyping } from "./talking";

test("a guest who registers has their interview in the history", async ({ page }) => {
  await talkByTyping(page, ANSWERS.first);
  await page.goto("/account");
  await expect(page.getByText("You are a guest.")).toBeVisible();
  await fillIn(page);
  await page.locator("form").getByRole("button", { name: "Create account" }).click();
  await expect(page.getByText(MEMBER.email)).toBeVisible();
  await page.goto("/history");
  await expect(page.locator(".list li")).toHaveCount(1);
});
