import { Remedy } from "@viva/interview/v1/conversation_pb";
import { expect, it } from "vitest";
import { remediesOf } from "@/pages/room/remedies";

it("tells the most pressing first, each once", () => {
  expect(remediesOf({ llm: Remedy.CARRY_ON, embed: Remedy.CARRY_ON, tts: Remedy.READ_TEXT, asr: Remedy.TYPE_ANSWERS })).toEqual(["typeAnswers", "readText", "carryOn"]);
});

it("of the store it says that it waits, whatever helps elsewhere", () => {
  expect(remediesOf({ store: Remedy.CARRY_ON })).toEqual(["store"]);
  expect(remediesOf({ store: Remedy.UNSPECIFIED, asr: Remedy.TYPE_ANSWERS })).toEqual(["typeAnswers", "store"]);
});

it("has nothing to say of what works", () => {
  expect(remediesOf({})).toEqual([]);
});
