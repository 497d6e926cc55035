import { create } from "@bufbuild/protobuf";
import { afterEach, expect, it, vi } from "vitest";
import { preferredLocale } from "@/app/locale";
import { settingsOf } from "@/pages/questions/practice";
import { topicsOf } from "@/pages/start/choices";
import { remediesOf } from "@/pages/room/remedies";
import { initials } from "@/parts/persona";
import { Patience } from "@viva/interview/v1/interview_pb";
import { QuestionCategory, QuestionSchema } from "@viva/interview/v1/question_pb";
import { Remedy } from "@viva/interview/v1/conversation_pb";

it("topics are parted by the commas of both languages", () => {
  expect(topicsOf("databases, teamwork，队列、 databases ").topics).toEqual(["databases", "teamwork", "队列"]);
  expect(topicsOf("x".repeat(101)).fit).toBe(false);
});

it("a ring shows whole words: initials, a given name, or what the interviewer is", () => {
  expect(["Young mentor", "李明远", "专业男面试官", "专业女面试官", "英语口语老师", ""].map(initials)).toEqual(["YM", "明远", "男", "女", "英语", "V"]);
});

it("the page speaks the first language it knows, or the one that was chosen", () => {
  expect(preferredLocale(null, ["fr", "zh-TW", "en"])).toBe("zh-CN");
  expect(preferredLocale("en", ["zh"])).toBe("en");
  expect(preferredLocale("xx", [])).toBe("en");
});

it("each remedy is told once, the most pressing first", () => {
  expect(remediesOf({ llm: Remedy.CARRY_ON, embed: Remedy.CARRY_ON, store: Remedy.UNSPECIFIED, asr: Remedy.TYPE_ANSWERS })).toEqual(["typeAnswers", "store", "carryOn"]);
});

afterEach(() => vi.unstubAllGlobals());

it("chosen questions are practised with the patience that was chosen, topics with the tutor", () => {
  vi.stubGlobal("localStorage", { getItem: (key: string) => (key === "viva.patience" ? "patient" : null) });
  const question = (id: string, category: QuestionCategory) => create(QuestionSchema, { id, category });
  expect(settingsOf([question("a", QuestionCategory.TECHNICAL), question("b", QuestionCategory.BEHAVIORAL)], "zh")).toEqual({
    language: "zh",
    questionIds: ["a", "b"],
    rounds: 2,
    patience: Patience.PATIENT,
  });
  expect(settingsOf([question("c", QuestionCategory.CONVERSATION)], "en")).toMatchObject({ persona: "english-tutor" });
});
