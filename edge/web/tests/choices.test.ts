import { expect, it } from "vitest";
import { preferredLocale } from "@/app/locale";
import { topicsOf } from "@/pages/start/choices";
import { remediesOf } from "@/pages/room/remedies";
import { initials } from "@/parts/persona";
import { Remedy } from "@viva/interview/v1/conversation_pb";

it("topics are parted by the commas of both languages", () => {
  expect(topicsOf("databases, teamwork，队列、 databases ").topics).toEqual(["databases", "teamwork", "队列"]);
  expect(topicsOf("x".repeat(101)).fit).toBe(false);
});

it("initials of names in both scripts", () => {
  expect([initials("Young mentor"), initials("专业男面试官"), initials("")]).toEqual(["YM", "试官", "V"]);
});

it("the page speaks the first language it knows, or the one that was chosen", () => {
  expect(preferredLocale(null, ["fr", "zh-TW", "en"])).toBe("zh-CN");
  expect(preferredLocale("en", ["zh"])).toBe("en");
  expect(preferredLocale("xx", [])).toBe("en");
});

it("each remedy is told once, the most pressing first", () => {
  expect(remediesOf({ llm: Remedy.CARRY_ON, embed: Remedy.CARRY_ON, store: Remedy.UNSPECIFIED, asr: Remedy.TYPE_ANSWERS })).toEqual(["typeAnswers", "store", "carryOn"]);
});
