import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlaybackControl_Action as Action, Remedy } from "@viva/interview/v1/conversation_pb";
import { InterviewSchema, InterviewState, Phase } from "@viva/interview/v1/interview_pb";
import { Speaker } from "@viva/interview/v1/turn_pb";
import { heardParts, type InterviewerLine } from "@/session/captions";
import { presence, type Presence } from "@/session/presence";
import { reduce } from "@/session/reduce";
import { initialState, type Effect, type Input, type SessionState } from "@/session/state";
import { audio, control, event, log, started, text, type Happening } from "./events";

function run(inputs: readonly Input[], from: SessionState = initialState("i", 0)) {
  const effects: Effect[] = [];
  let state = from;
  for (const input of inputs) {
    const step = reduce(state, input);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

const events = (...happenings: Happening[]): Input[] => log(...happenings).map((one) => ({ kind: "event", event: one }));
const live: Happening = { case: "stateChanged", value: { state: InterviewState.LIVE, phase: Phase.QUESTION, round: 1 } };
const open: Input = { kind: "link", fact: { kind: "open", way: "socket" } };
const position = (utteranceId: string, playedMs: number, drained = false): Input => ({
  kind: "audio",
  fact: { kind: "position", utteranceId, playedMs, drained },
});
const turn = (id: string, said: string, speaker = Speaker.CANDIDATE) => ({ id, text: said, speaker });

/** Anything that may happen, in any order, to two utterances and a candidate. */
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.constantFrom("a", "b").chain((id) =>
    fc.constantFrom<Happening>(
      started(id),
      text(id, "Hello there."),
      audio(id, 0, "Hello", "there"),
      control(id, Action.PAUSE),
      control(id, Action.RESUME),
      control(id, Action.STOP),
      { case: "utteranceEnded", value: { utteranceId: id, interrupted: false, turn: turn(id, "Hello there.", Speaker.INTERVIEWER) } },
      { case: "utteranceEnded", value: { utteranceId: id, interrupted: true, turn: turn(id, "Hello", Speaker.INTERVIEWER) } },
    ),
  ),
  fc.constantFrom<Happening>(
    live,
    { case: "stateChanged", value: { state: InterviewState.PAUSED, phase: Phase.QUESTION, round: 1 } },
    { case: "speechStarted", value: {} },
    { case: "partial", value: { stable: "I have", unstable: "worked" } },
    { case: "candidateTurn", value: { turn: turn("t", "I have worked.") } },
    { case: "turnReopened", value: { turnId: "t" } },
    { case: "degraded", value: { service: "tts", recovered: false, remedy: Remedy.READ_TEXT } },
    { case: "degraded", value: { service: "tts", recovered: true } },
  ),
);

const other: fc.Arbitrary<Input> = fc.oneof(
  fc.constantFrom("a", "b").chain((id) => fc.tuple(fc.nat(1000), fc.boolean()).map(([played, drained]) => position(id, played, drained))),
  fc.constantFrom<Input>(
    open,
    { kind: "link", fact: { kind: "lost", attempt: 1 } },
    { kind: "link", fact: { kind: "elsewhere" } },
    { kind: "act", act: { kind: "mute", muted: true } },
    { kind: "act", act: { kind: "push-to-talk", on: true } },
    { kind: "act", act: { kind: "talk", held: true } },
    { kind: "act", act: { kind: "use-here" } },
    { kind: "act", act: { kind: "type", text: "typed" } },
  ),
  fc.nat(5000).map((now): Input => ({ kind: "tick", now })),
);

const session: fc.Arbitrary<Input[]> = fc.array(fc.oneof(happening, other), { maxLength: 60 }).map((things) => {
  let seq = 0;
  return things.map((thing): Input => {
    if ("kind" in thing) return thing as Input;
    seq += 1;
    return { kind: "event", event: event(seq, thing as Happening) };
  });
});

const PRESENCES: readonly Presence[] = ["joining", "listening", "muted", "unheard", "thinking", "speaking", "held", "paused", "away", "over"];

describe("whatever happens", () => {
  it("a repeated seq changes nothing", () => {
    fc.assert(
      fc.property(session, fc.nat(), (inputs, pick) => {
        const { state } = run(inputs);
        const seen = inputs.filter((input) => input.kind === "event");
        const again = seen[pick % Math.max(1, seen.length)];
        if (!again) return;
        const step = reduce(state, again);
        expect(step.state).toBe(state);
        expect(step.effects).toEqual([]);
      }),
    );
  });

  it("after ACTION_STOP no sample of that utterance is played", () => {
    fc.assert(
      fc.property(session, (inputs) => {
        const stopped = new Set<string>();
        let state = initialState("i", 0);
        for (const input of inputs) {
          const step = reduce(state, input);
          for (const effect of step.effects) if (effect.kind === "play") expect(stopped).not.toContain(effect.utteranceId);
          state = step.state;
          if (input.kind !== "event") continue;
          const { event: what } = input.event;
          if (what.case === "utteranceStarted") stopped.delete(what.value.utteranceId);
          if (what.case === "playbackControl" && what.value.action === Action.STOP) {
            const known = state.utterances.some((one) => one.id === what.value.utteranceId);
            if (known) stopped.add(what.value.utteranceId);
          }
        }
      }),
    );
  });

  it("a stop throws away what was sent to the loudspeaker", () => {
    const { effects } = run(events(started("a"), text("a", "Hello."), audio("a", 0, "Hello"), control("a", Action.STOP)));
    expect(effects).toContainEqual({ kind: "sound", utteranceId: "a", action: "flush" });
  });

  it("there is exactly one presence", () => {
    fc.assert(
      fc.property(session, (inputs) => {
        expect(PRESENCES).toContain(presence(run(inputs).state));
      }),
    );
  });

  it("the state is never changed in place", () => {
    fc.assert(
      fc.property(session, fc.oneof(happening, other), (inputs, last) => {
        const { state } = run(inputs);
        const before = structuredClone(state);
        reduce(state, "kind" in last ? (last as Input) : { kind: "event", event: event(1000, last as Happening) });
        expect(state).toEqual(before);
      }),
    );
  });
});

describe("events that are missing", () => {
  it("a gap reads the interview", () => {
    const { effects } = run([
      { kind: "event", event: event(1, live) },
      { kind: "event", event: event(5, { case: "speechStarted", value: {} }) },
    ]);
    expect(effects.filter((effect) => effect.kind === "read")).toHaveLength(1);
  });

  it("without a gap nothing is read", () => {
    const { effects } = run(events(live, started("a"), text("a", "Hi.")));
    expect(effects.some((effect) => effect.kind === "read")).toBe(false);
  });

  it("what is read brings the turns that were missed, and the state", () => {
    const interview = create(InterviewSchema, { state: InterviewState.PAUSED, phase: Phase.QUESTION, round: 2, settings: { rounds: 4, language: "zh" } });
    const { state } = run([{ kind: "read", interview, turns: [{ ...turnMessage("t1", "你好") }] }]);
    expect(presence(state)).toBe("paused");
    expect(state.rounds).toBe(4);
    expect(state.language).toBe("zh");
    expect(state.captions).toMatchObject([{ speaker: "candidate", stable: "你好" }]);
  });
});

describe("the presence", () => {
  const speaking = [open, ...events(live, started("a"), text("a", "Hello there."), audio("a", 0, "Hello", "there"))];

  it("speaks from the first sample that was played, not from the first that was sent", () => {
    expect(presence(run(speaking).state)).toBe("listening");
    expect(presence(run([...speaking, position("a", 20)]).state)).toBe("speaking");
  });

  it("listens when the last sample was played", () => {
    expect(presence(run([...speaking, position("a", 20), position("a", 1000, true)]).state)).toBe("listening");
  });

  it("says go on while playback is paused, and speaks again", () => {
    const paused = run([...speaking, position("a", 20)]).state;
    const held = reduce(paused, { kind: "event", event: event(50, control("a", Action.PAUSE)) }).state;
    expect(presence(held)).toBe("held");
    expect(presence(reduce(held, { kind: "event", event: event(51, control("a", Action.RESUME)) }).state)).toBe("speaking");
  });

  it("thinks only when the reply takes longer than 400 ms", () => {
    const waiting = [open, ...events(live, { case: "candidateTurn", value: { turn: turn("t", "Yes.") } })];
    expect(presence(run([...waiting, { kind: "tick", now: 399 }]).state)).toBe("listening");
    expect(presence(run([...waiting, { kind: "tick", now: 400 }]).state)).toBe("thinking");
  });

  it("does not claim to listen where the microphone fails", () => {
    const denied: Input = { kind: "audio", fact: { kind: "microphone", state: "denied" } };
    expect(presence(run([open, ...events(live), denied]).state)).toBe("unheard");
    expect(presence(run([open, ...events(live), { kind: "audio", fact: { kind: "microphone", state: "off" } }]).state)).toBe("listening");
  });

  it("is away when another window has the interview", () => {
    expect(presence(run([...speaking, { kind: "link", fact: { kind: "elsewhere" } }]).state)).toBe("away");
  });
});

describe("captions", () => {
  const line = (state: SessionState) => state.captions[0] as InterviewerLine;

  it("a phrase appears with its sound; what was heard is told from what is coming", () => {
    const said = [started("a"), text("a", "Tell me about a project. What went wrong?"), audio("a", 0, "Tell", "me", "about", "a", "project")];
    const { state } = run([...events(...said), position("a", 300)]);
    expect(heardParts(line(state))).toEqual({ heard: "Tell me ", coming: "about a project. " });
  });

  it("finds words in Chinese text without spaces", () => {
    const { state } = run([...events(started("a"), text("a", "请介绍一下你自己。"), audio("a", 0, "请", "介绍", "一下", "你", "自己")), position("a", 450)]);
    expect(heardParts(line(state))).toEqual({ heard: "请介绍一下", coming: "你自己。" });
  });

  it("a line that is cut becomes what was heard", () => {
    const { state } = run(
      events(started("a"), text("a", "Tell me more."), audio("a", 0, "Tell", "me", "more"), {
        case: "utteranceEnded",
        value: { utteranceId: "a", interrupted: true, turn: turn("a", "Tell me", Speaker.INTERVIEWER) },
      }),
    );
    expect(line(state)).toMatchObject({ text: "Tell me", cut: true });
  });

  it("the candidate's line is replaced by the turn, and taken back when it goes on", () => {
    const said = events(live, { case: "partial", value: { stable: "I have", unstable: "work" } }, { case: "candidateTurn", value: { turn: turn("t", "I have worked.") } });
    expect(run(said).state.captions).toMatchObject([{ id: "t", stable: "I have worked.", ended: true }]);
    const reopened = run([...said, { kind: "event", event: event(4, { case: "turnReopened", value: { turnId: "t" } }) }]);
    expect(reopened.state.captions).toEqual([]);
  });
});

describe("acts", () => {
  it("letting go of push-to-talk finishes the turn", () => {
    const { effects } = run([
      { kind: "act", act: { kind: "push-to-talk", on: true } },
      { kind: "act", act: { kind: "talk", held: true } },
      { kind: "act", act: { kind: "talk", held: false } },
    ]);
    expect(effects.filter((effect) => effect.kind === "listen").map((effect) => effect.kind === "listen" && effect.on)).toEqual([false, true, false]);
    expect(effects).toContainEqual({ kind: "send", message: { message: { case: "finishTurn", value: {} } } });
  });

  it("typing over the interviewer interrupts first", () => {
    const { effects } = run([...events(live, started("a"), audio("a", 0, "Hello")), position("a", 100), { kind: "act", act: { kind: "type", text: " No. " } }]);
    const sent = effects.filter((effect) => effect.kind === "send").map((effect) => effect.kind === "send" && effect.message.message?.case);
    expect(sent).toEqual(["interrupt", "typed"]);
  });

  it("the interview is ended once, however often it is asked", () => {
    const { effects } = run([
      { kind: "act", act: { kind: "end" } },
      { kind: "act", act: { kind: "end" } },
    ]);
    expect(effects).toEqual([{ kind: "call", call: "end" }]);
  });
});

describe("services that work worse", () => {
  it("stay told until they have recovered", () => {
    const degraded = run(events({ case: "degraded", value: { service: "asr", recovered: false, remedy: Remedy.TYPE_ANSWERS } }));
    expect(degraded.state.degraded).toEqual({ asr: Remedy.TYPE_ANSWERS });
    const back = reduce(degraded.state, { kind: "event", event: event(2, { case: "degraded", value: { service: "asr", recovered: true } }) });
    expect(back.state.degraded).toEqual({});
    expect(back.effects).toContainEqual({ kind: "announce", what: "recovered", service: "asr" });
  });
});

it("a report that is ready leads to it", () => {
  expect(run(events({ case: "reportReady", value: {} })).effects).toContainEqual({ kind: "leave", to: "report" });
});

function turnMessage(id: string, said: string) {
  const message = log({ case: "candidateTurn", value: { turn: turn(id, said) } })[0]?.event;
  if (message?.case !== "candidateTurn" || !message.value.turn) throw new Error("a turn");
  return message.value.turn;
}
