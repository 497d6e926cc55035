import { create } from "@bufbuild/protobuf";
import { AccountSettingsSchema } from "@viva/account/v1/account_pb";
import { ReportSchema } from "@viva/interview/v1/report_pb";
import { expect, it } from "vitest";
import { emailFits, passwordFits, refuses } from "@/pages/account/checks";
import { deviceOf } from "@/pages/account/device";
import { labelsOf, seriesOf, signed } from "@/pages/history/progress";
import { FIELDS, fromAccount, toAccount, type Choices } from "@/pages/settings/choices";
import { failureOf } from "@/wire/failures";
import en from "@/words/en";
import zh from "@/words/zh-CN";

/** Every key with the placeholders of its words. */
function wordsOf(words: object, path = ""): Map<string, string> {
  return new Map(
    Object.entries(words).flatMap(([key, value]: [string, unknown]): [string, string][] =>
      typeof value === "string"
        ? [[`${path}${key}`, [...new Set(value.match(/\{\w+\}/g))].sort().join(" ")]]
        : [...wordsOf(value as object, `${path}${key}.`)],
    ),
  );
}

it("both languages have the same words with the same placeholders, and none is empty or left in English", () => {
  expect(Object.fromEntries(wordsOf(zh))).toEqual(Object.fromEntries(wordsOf(en)));
  const flat = (words: object): string[] => Object.values(words).flatMap((value: unknown) => (typeof value === "string" ? [value] : flat(value as object)));
  expect(flat(zh).filter((text) => !text.trim() || !/\p{Script=Han}/u.test(text.replace("English", "中")))).toEqual([]);
});

it("lines of progress run from the oldest, and leave a gap where a dimension was not scored", () => {
  const point = (at: number, overallScore: number | undefined, dimensions: Record<string, number>) => ({
    interviewId: String(at),
    at,
    report: create(ReportSchema, { ...(overallScore === undefined ? {} : { overallScore }), dimensions: Object.entries(dimensions).map(([name, score]) => ({ name, score })) }),
  });
  expect(seriesOf([point(3, 71.6, { depth: 60 }), point(1, 50, { depth: 40, clarity: 30 }), point(2, undefined, {})])).toEqual({
    at: [1, 3],
    series: [
      { name: "", scores: [50, 72] },
      { name: "depth", scores: [40, 60] },
      { name: "clarity", scores: [30, null] },
    ],
  });
  expect([signed(3), signed(-3), signed(0)]).toEqual(["+3", "−3", "0"]);
});

it("interviews of one day are told apart by the time", () => {
  const at = [Date.UTC(2026, 10, 20, 9), Date.UTC(2026, 10, 21, 9, 5), Date.UTC(2026, 10, 21, 16, 30)];
  const labels = labelsOf(at, "en");
  expect(labels[0]).toBe("11/20");
  expect(labels[1]).toMatch(/^11\/21, \d+:05/);
  expect(new Set(labels).size).toBe(3);
});

it("a field is marked that was refused, and no other", () => {
  const failure = { ...failureOf("badInput"), fields: ["current_password"] };
  expect([refuses(failure, "current_password"), refuses(failure, "password"), refuses(failure, "new_password")]).toEqual([true, false, false]);
  expect(refuses({ ...failureOf("wrongPassword"), fields: ["password"] }, "password")).toBe(false);
});

it("settings come back from an account as they went", () => {
  const choices: Choices = { locale: "zh-CN", language: "zh", theme: "dark", captions: "off", motion: "reduced", patience: "patient", retention: "month" };
  expect(fromAccount(create(AccountSettingsSchema, toAccount(choices)))).toEqual({ patience: "patient", retention: "month" });
  expect(fromAccount(undefined)).toEqual({ retention: "server" });
  const fields = AccountSettingsSchema.fields.map(({ name }) => name);
  expect(Object.values(FIELDS).filter((name) => !fields.includes(name))).toEqual([]);
});

it("what an account's forms refuse is what the contract refuses", () => {
  expect(["a@b.cd", " a@b.cd "].every(emailFits)).toBe(true);
  expect(["", "a", "a@b", "a b@c.de"].some(emailFits)).toBe(false);
  expect([passwordFits("123456789"), passwordFits("1234567890"), passwordFits("密码密码密码密码密码")]).toEqual([false, true, true]);
});

it("a device is called by its browser and system", () => {
  expect(deviceOf("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0 Safari/537.36")).toBe("Chrome, Linux");
  expect(deviceOf("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1")).toBe("Safari, iPhone");
  expect([deviceOf("viva-cli/1.0"), deviceOf("")]).toEqual(["viva-cli/1.0", undefined]);
});
