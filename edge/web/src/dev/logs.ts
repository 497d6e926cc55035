/** What happened before each state of the room: events as the server numbers and sends them. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError, Code } from "@connectrpc/connect";
import { InterviewEventSchema, PlaybackControl_Action as Action, Remedy } from "@viva/interview/v1/conversation_pb";
import { InterviewSchema, InterviewState, Phase } from "@viva/interview/v1/interview_pb";
import { Speaker } from "@viva/interview/v1/turn_pb";
import { duration } from "@/session/durations";
import type { Input } from "@/session/state";
import { describe, failureOf } from "@/wire/failures";

export interface Log {
  inputs: Input[];
  /** dBFS */
  level?: number;
  played?: number;
  awake?: boolean;
  typed?: boolean;
}

type Language = "en" | "zh";
export type Happening = NonNullable<MessageInitShape<typeof InterviewEventSchema>["event"]>;

export const SAID = {
  en: {
    greeting: "Hello, and welcome. This is a practice interview for the position of backend engineer. I have three questions for you. Take your time with each answer.",
    question: "Tell me about a time when a service you were responsible for became slow. How did you find out why?",
    answer: "Last spring our order service took four seconds at noon. I looked at the traces first and saw that one query scanned the whole table.",
    stable: "So I added an index on the customer and the date, and ",
    unstable: "then I measured again",
    followUp: "What would you have done if the index had not helped?",
  },
  zh: {
    greeting: "下午好，欢迎参加这次后端工程师岗位的模拟面试。我们开始吧。",
    question: "请讲一次你负责的服务突然变慢的经历。你是怎么找到原因的？",
    answer: "去年春天，我们的订单服务中午要四秒才返回。我先看了链路追踪，发现有一条查询扫描了整张表。",
    stable: "于是我给客户和日期加了联合索引，",
    unstable: "然后重新压测",
    followUp: "如果加了索引还是慢，你会怎么办？",
  },
} as const;

function numbered(happenings: readonly Happening[]): Input[] {
  return happenings.map((event, at) => ({
    kind: "event",
    event: create(InterviewEventSchema, { seq: BigInt(at + 1), at: duration(at * 500), event, resumeToken: `t${at}` }),
  }));
}

function moved(state: InterviewState, phase: Phase, round?: number): Happening {
  return { case: "stateChanged", value: { state, phase, ...(round === undefined ? {} : { round }) } };
}

/** An utterance with a sound of 300 ms a word, or character. */
function utterance(id: string, text: string, phase: Phase, language: Language): Happening[] {
  const words = language === "zh" ? [...text].filter((character) => /\p{L}/u.test(character)) : text.split(" ");
  const each = language === "zh" ? 200 : 300;
  return [
    { case: "utteranceStarted", value: { utteranceId: id, format: { encoding: 1, sampleRateHz: 24000 }, phase } },
    { case: "text", value: { utteranceId: id, text } },
    {
      case: "audio",
      value: {
        utteranceId: id,
        audio: new Uint8Array(2),
        words: words.map((word, at) => ({ text: word, start: duration(at * each), end: duration((at + 1) * each) })),
      },
    },
  ];
}

export function ended(id: string, text: string, interrupted = false): Happening {
  return { case: "utteranceEnded", value: { utteranceId: id, interrupted, turn: { id, text, speaker: Speaker.INTERVIEWER } } };
}

const open: Input = { kind: "link", fact: { kind: "open", way: "socket" } };
const microphone: Input = { kind: "audio", fact: { kind: "microphone", state: "on" } };
const played = (utteranceId: string, playedMs: number, drained = false): Input => ({
  kind: "audio",
  fact: { kind: "position", utteranceId, playedMs, drained },
});

export function asked(language: Language): Happening[] {
  const said = SAID[language];
  return [
    moved(InterviewState.LIVE, Phase.OPENING),
    ...utterance("g", said.greeting, Phase.OPENING, language),
    ended("g", said.greeting),
    moved(InterviewState.LIVE, Phase.QUESTION, 1),
    ...utterance("q", said.question, Phase.QUESTION, language),
  ];
}

function answering(language: Language): Happening[] {
  const said = SAID[language];
  return [
    ...asked(language),
    ended("q", said.question),
    { case: "candidateTurn", value: { turn: { id: "a", text: said.answer, speaker: Speaker.CANDIDATE } } },
    ...utterance("f", said.followUp, Phase.FOLLOW_UP, language),
    ended("f", said.followUp),
    { case: "speechStarted", value: {} },
    { case: "partial", value: { stable: said.stable, unstable: said.unstable } },
  ];
}

const heard = [played("g", 60_000, true), played("q", 60_000, true), played("f", 60_000, true)];
const inRoom = (language: Language, more: readonly Happening[] = []): Input[] => [open, microphone, ...numbered([...answering(language), ...more]), ...heard];
const degraded = (service: string, remedy: Remedy): Happening => ({ case: "degraded", value: { service, remedy, recovered: false } });

export const LOGS = {
  joining: () => ({ inputs: [] }),
  wake: () => ({ inputs: [], awake: false }),
  speaking: (language) => ({
    inputs: [open, microphone, ...numbered(asked(language)), played("g", 60_000, true), played("q", 2_900)],
    played: -22,
  }),
  listening: (language) => ({ inputs: inRoom(language), level: -24 }),
  held: (language) => ({
    inputs: [
      open,
      microphone,
      ...numbered([...asked(language), { case: "playbackControl", value: { utteranceId: "q", action: Action.PAUSE } }]),
      played("g", 60_000, true),
      played("q", 2_900),
    ],
    level: -26,
  }),
  cut: (language) => ({
    inputs: [open, microphone, ...numbered([...asked(language), ended("q", SAID[language].question.slice(0, language === "zh" ? 12 : 38), true), { case: "partial", value: { stable: SAID[language].stable, unstable: "" } }])],
    level: -20,
  }),
  thinking: (language) => ({
    inputs: [
      open,
      microphone,
      ...numbered([...asked(language), ended("q", SAID[language].question), { case: "candidateTurn", value: { turn: { id: "a", text: SAID[language].answer, speaker: Speaker.CANDIDATE } } }]),
      played("g", 60_000, true),
      played("q", 60_000, true),
      { kind: "tick", now: 2_000 },
    ],
  }),
  muted: (language) => ({ inputs: [...inRoom(language), { kind: "act", act: { kind: "mute", muted: true } }] }),
  "push-to-talk": (language) => ({ inputs: [...inRoom(language), { kind: "act", act: { kind: "push-to-talk", on: true } }] }),
  thought: (language) => ({ inputs: inRoom(language, [{ case: "turnHeld", value: { until: duration(90_000) } }]) }),
  typing: (language) => ({ inputs: inRoom(language), typed: true }),
  paused: (language) => ({ inputs: inRoom(language, [moved(InterviewState.PAUSED, Phase.QUESTION, 1)]) }),
  slow: (language) => ({ inputs: [...inRoom(language), { kind: "link", fact: { kind: "slow", slow: true } }], level: -30 }),
  lost: (language) => ({ inputs: [...inRoom(language), { kind: "link", fact: { kind: "lost", attempt: 2 } }], level: -24 }),
  "lost-typing": (language) => ({ inputs: [...inRoom(language), { kind: "link", fact: { kind: "lost", attempt: 2 } }], typed: true }),
  "no-sound": () => ({ inputs: [{ kind: "link", fact: { kind: "refused", failure: failureOf("noSound") } }] }),
  elsewhere: (language) => ({ inputs: [...inRoom(language), { kind: "link", fact: { kind: "elsewhere" } }] }),
  refused: (language) => ({
    inputs: [...inRoom(language), { kind: "link", fact: { kind: "refused", failure: describe(new ConnectError("", Code.NotFound)) } }],
  }),
  "no-voice": (language) => ({ inputs: inRoom(language, [degraded("tts", Remedy.READ_TEXT)]) }),
  "no-ears": (language) => ({ inputs: inRoom(language, [degraded("asr", Remedy.TYPE_ANSWERS)]) }),
  "no-model": (language) => ({ inputs: inRoom(language, [degraded("llm", Remedy.CARRY_ON), degraded("embed", Remedy.CARRY_ON)]) }),
  "no-store": (language) => ({ inputs: inRoom(language, [degraded("store", Remedy.UNSPECIFIED)]) }),
  repeat: (language) => ({ inputs: inRoom(language, [degraded("asr", Remedy.REPEAT_ANSWER)]) }),
  everything: (language) => ({
    inputs: inRoom(language, [degraded("asr", Remedy.TYPE_ANSWERS), degraded("tts", Remedy.READ_TEXT), degraded("llm", Remedy.CARRY_ON), degraded("store", Remedy.UNSPECIFIED)]),
  }),
  denied: (language) => ({ inputs: [...inRoom(language), { kind: "audio", fact: { kind: "microphone", state: "denied" } }] }),
  ending: (language) => ({ inputs: inRoom(language, [moved(InterviewState.REVIEWING, Phase.CLOSING)]) }),
  failed: (language) => ({ inputs: inRoom(language, [moved(InterviewState.FAILED, Phase.QUESTION, 1)]) }),
  resumed: (language) => ({
    inputs: [
      open,
      {
        kind: "read",
        interview: create(InterviewSchema, { state: InterviewState.LIVE, phase: Phase.QUESTION, round: 3, settings: { rounds: 5, language } }),
        turns: [],
      },
    ],
  }),
} satisfies Record<string, (language: Language) => Log>;

export type StateName = keyof typeof LOGS;
