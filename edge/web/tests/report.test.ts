import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@rpc/error_details_pb";
import { GetReportResponseSchema } from "@viva/interview/v1/interview_service_pb";
import { DeliveryFiguresSchema, EvidenceSchema, ReportSchema, type Evidence } from "@viva/interview/v1/report_pb";
import { TurnSchema } from "@viva/interview/v1/turn_pb";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arrival } from "@/report/arrival";
import { delivery } from "@/report/delivery";
import { EvidenceList } from "@/report/evidence";
import { Player, type Stretch } from "@/report/player";
import { segments, spanOf, wordAt } from "@/report/segments";
import { unanswered } from "@/report/unanswered";
import { duration } from "@/session/durations";

/** A turn whose words take 500 ms each. */
function spoken(text: string, words: string[], id = "a") {
  return create(TurnSchema, { id, text, words: words.map((word, at) => ({ text: word, start: duration(at * 500), end: duration((at + 1) * 500) })) });
}
const evidence = (startMs: number, endMs: number, quote = "", turnId = "a") => create(EvidenceSchema, { turnId, start: duration(startMs), end: duration(endMs), quote });

describe("segments", () => {
  const turn = spoken("I added an index, then I measured.", ["I", "added", "an", "index,", "then", "I", "measured."]);

  it("are cut at every bound, so that evidence may overlap", () => {
    const parts = segments(turn, [evidence(0, 2000), evidence(1500, 3500)]);
    expect(parts.map(({ text, evidence: of, begins }) => [text, of, begins])).toEqual([
      ["I added an ", [0], [0]],
      ["index,", [0, 1], [1]],
      [" then I measured.", [1], []],
    ]);
  });

  it("find Chinese words, which no spaces part", () => {
    const chinese = spoken("我加了索引，然后压测。", ["我", "加了", "索引", "然后", "压测"]);
    expect(segments(chinese, [evidence(500, 1500)]).map(({ text, evidence: of }) => [text, of.length])).toEqual([["我", 0], ["加了索引", 1], ["，然后压测。", 0]]);
  });

  it("of a typed turn are found by the quote, and without one the whole turn is meant", () => {
    const typed = create(TurnSchema, { id: "a", text: "First this. Then that.", typed: true });
    expect(spanOf(typed, evidence(0, 0, "Then that."))).toEqual({ from: 12, to: 22 });
    expect(spanOf(typed, evidence(0, 0, "never said"))).toEqual({ from: 0, to: 22 });
  });

  it("show the word that sounds, and none between words", () => {
    expect(wordAt(turn, 1600)).toBe(3);
    expect(wordAt(turn, 9000)).toBeUndefined();
    expect(segments(turn, [], 3).filter(({ playing }) => playing).map(({ text }) => text)).toEqual(["index,"]);
  });

  it("are together the text, each evidence begins once, and neighbours differ", () => {
    const word = fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom("a", "b", "索", "，", "é", "👍") });
    const bounds = fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 0, max: 9000 }));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), fc.array(bounds, { maxLength: 6 }), fc.option(fc.nat(12), { nil: undefined }), (words, pairs, playing) => {
        const any = spoken(words.join(" "), words);
        const given: Evidence[] = pairs.map(([one, other]) => evidence(Math.min(one, other), Math.max(one, other)));
        const parts = segments(any, given, playing);
        expect(parts.map(({ text }) => text).join("")).toBe(any.text);
        expect(parts.every(({ text }) => text.length > 0)).toBe(true);
        if (any.text) expect(parts.flatMap(({ begins }) => begins).sort()).toEqual(given.map((_, at) => at).sort());
        given.forEach((one, at) => {
          const { from, to } = spanOf(any, one);
          expect(parts.filter((part) => part.evidence.includes(at)).map(({ text }) => text).join("")).toBe(any.text.slice(from, to));
        });
      }),
    );
  });
});

describe("evidence", () => {
  it("is numbered as one reads, the same passage once, and nothing of a turn that is not there", () => {
    const report = create(ReportSchema, {
      dimensions: [{ name: "depth", evidence: [evidence(900, 1000, "late"), evidence(0, 100, "early"), evidence(0, 1, "gone", "missing")] }],
      questions: [{ keyPoints: [{ keyPoint: "x", evidence: evidence(0, 100, "early") }] }],
    });
    const list = new EvidenceList(report, [spoken("early late", ["early", "late"])]);
    expect(list.all.map(({ number, evidence: one }) => [number, one.quote])).toEqual([[1, "early"], [2, "late"]]);
    expect(list.of(report.dimensions[0]?.evidence ?? []).map(({ number }) => number)).toEqual([2, 1]);
  });
});

describe("the report's arrival", () => {
  const notReady = new ConnectError("x", Code.FailedPrecondition, undefined, [{ desc: ErrorInfoSchema, value: { reason: "REPORT_NOT_READY" } }]);

  it("is waited for, asked more seldom as it takes longer", async () => {
    const waits: number[] = [];
    let left = 8;
    await arrival(
      async () => {
        left -= 1;
        if (left > 0) throw notReady;
        return create(GetReportResponseSchema);
      },
      async (ms) => void waits.push(ms),
      () => undefined,
    );
    expect(waits).toHaveLength(7);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.at(-1)).toBe(10_000);
  });

  it("is given up at any other failure", async () => {
    const gone = new ConnectError("x", Code.NotFound);
    await expect(arrival(() => Promise.reject(gone), () => Promise.resolve(), () => undefined)).rejects.toBe(gone);
  });
});

describe("the player", () => {
  function setUp(pieces: { startMs: number; bytes: number }[]) {
    const did: string[] = [];
    const asked: Stretch[] = [];
    const player = new Player(
      async function* (stretch) {
        asked.push(stretch);
        for (const { startMs, bytes } of pieces) yield { format: { sampleRateHz: 1000 } as never, start: duration(startMs), audio: new Uint8Array(bytes) };
      },
      {
        open: () => Promise.resolve(),
        close: () => did.push("close"),
        play: (id, _, audio) => did.push(`${id} play ${audio.length}`),
        control: (id, action) => did.push(`${id} ${action}`),
      },
    );
    return { player, did, asked };
  }

  it("asks for 300 ms more on either side, none before the beginning, and says when nothing was recorded", async () => {
    const { player, asked } = setUp([]);
    expect(await player.play(1, { startMs: 1000, endMs: 2000 })).toBe(false);
    expect(await player.play(2, { startMs: 100, endMs: 2000 })).toBe(false);
    expect(player.playing.value).toBeUndefined();
    expect(asked).toEqual([{ startMs: 700, endMs: 2300 }, { startMs: 0, endMs: 2300 }]);
  });

  it("is silent where nothing was recorded, so that its clock holds", async () => {
    const { player, did } = setUp([{ startMs: 700, bytes: 200 }, { startMs: 900, bytes: 200 }]);
    await player.play(1, { startMs: 1000, endMs: 2000 });
    expect(did).toEqual(["1 play 200", "1 play 200", "1 play 200", "1 end"]);
    player.heard("1", 150, false);
    expect(player.playing.value).toMatchObject({ number: 1, atMs: 850 });
    player.heard("1", 300, true);
    expect(player.playing.value).toBeUndefined();
  });

  it("plays one passage at a time, and hears nothing of the one before", async () => {
    const { player, did } = setUp([{ startMs: 700, bytes: 2 }]);
    await player.play(1, { startMs: 1000, endMs: 2000 });
    await player.play(2, { startMs: 1000, endMs: 2000 });
    player.heard("1", 5, true);
    expect(player.playing.value?.number).toBe(2);
    expect(did).toContain("1 flush");
    player.stop();
    expect(player.playing.value).toBeUndefined();
  });
});

it("the pace of all answers is weighed by their length", () => {
  const answer = (words: number, wordsPerMinute: number) => ({ delivery: create(DeliveryFiguresSchema, { words, wordsPerMinute, fillers: 1, longestPause: duration(words) }) });
  const report = create(ReportSchema, { questions: [answer(100, 100), answer(300, 150), {}] });
  expect(delivery(report)).toMatchObject({ words: 400, wordsPerMinute: 133, fillers: 2, longestPauseMs: 300, fromSound: false });
  expect(delivery(create(ReportSchema, { questions: [{}] }))).toBeUndefined();
});

it("questions that were declined or never came to are not answered", () => {
  const report = create(ReportSchema, { questions: [{ round: 1 }, { round: 2, declined: true }] });
  expect([unanswered(report, 2), unanswered(report, 4), unanswered(report, 1)]).toEqual([1, 3, 0]);
});
