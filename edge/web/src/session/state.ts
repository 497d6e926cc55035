/** What the room knows, what can happen to it and what it can want. Values only. */
import type { CandidateMessageSchema, InterviewEvent } from "@viva/interview/v1/conversation_pb";
import { Remedy } from "@viva/interview/v1/conversation_pb";
import { InterviewState, Patience, Phase, type Interview } from "@viva/interview/v1/interview_pb";
import type { Turn } from "@viva/interview/v1/turn_pb";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CaptionLine } from "@/session/captions";
import type { Failure } from "@/wire/failures";

export type Link =
  | { kind: "joining" }
  /** `slow`: the last acknowledgements took long. */
  | { kind: "open"; slow: boolean; way: "socket" | "calls" }
  | { kind: "lost"; since: number; attempt: number }
  /** Another page has the interview. */
  | { kind: "elsewhere" }
  | { kind: "refused"; failure: Failure };

/** `unloaded`: the page's own code for sound did not come. */
export type MicrophoneTrouble = "denied" | "missing" | "busy" | "silent" | "gone" | "unloaded";

export interface Utterance {
  id: string;
  /** Samples a second; undefined when only text is sent. */
  rateHz: number | undefined;
  /** What is done with its sound. */
  sound: "playing" | "paused" | "stopped";
  playedMs: number;
  /** Whether all that came was played. */
  drained: boolean;
  ended: boolean;
  /** Up to where its sound has come. */
  soundMs: number;
  /** Its sound, as long as it may turn out to be over. */
  heldBack: readonly Sound[];
}

export interface Sound {
  kind: "play";
  utteranceId: string;
  rateHz: number;
  offsetMs: number;
  audio: Uint8Array;
}

/** What happened before the page joined, and comes now. */
export interface Backlog {
  /** On the interview's clock. */
  untilMs: number;
  /** When the last of it came, on the page's clock. */
  cameAt: number;
}

export interface SessionState {
  interviewId: string;
  interview: InterviewState;
  phase: Phase;
  /** From 1; undefined in the opening and the close. */
  round: number | undefined;
  rounds: number;
  language: string;
  lastSeq: bigint;
  resumeToken: string | undefined;
  link: Link;
  /** Undefined once it is through. */
  backlog: Backlog | undefined;
  /** The newest utterances; older ones are over. */
  utterances: readonly Utterance[];
  captions: readonly CaptionLine[];
  /** Whether the server hears the candidate speak. */
  candidateSpeaks: boolean;
  /** Since when the candidate waits for a reply, on the page's clock. */
  waitingSince: number | undefined;
  held: boolean;
  patience: Patience;
  muted: boolean;
  /** Push-to-talk: whether it is on, and whether the button is held. */
  pushToTalk: boolean;
  talking: boolean;
  microphone: "off" | "on" | MicrophoneTrouble;
  degraded: Readonly<Record<string, Remedy>>;
  /** Whether an act of the candidate's is under way at the server. */
  leaving: boolean;
  failure: Failure | undefined;
  /** The page's clock, ms. */
  now: number;
}

export type Act =
  | { kind: "mute"; muted: boolean }
  | { kind: "push-to-talk"; on: boolean }
  | { kind: "talk"; held: boolean }
  | { kind: "done" }
  | { kind: "hold" }
  | { kind: "interrupt" }
  | { kind: "type"; text: string }
  | { kind: "patience"; patience: Patience }
  | { kind: "pause" }
  | { kind: "resume" }
  | { kind: "end" }
  | { kind: "use-here" }
  | { kind: "try-again" };

export type AudioFact =
  | { kind: "position"; utteranceId: string; playedMs: number; drained: boolean }
  | { kind: "microphone"; state: "off" | "on" | MicrophoneTrouble };

export type LinkFact =
  /** `unheardMs`: what happened up to then, on the interview's clock, is told now and was not for this page. */
  | { kind: "open"; way: "socket" | "calls"; unheardMs?: number }
  | { kind: "slow"; slow: boolean }
  | { kind: "lost"; attempt: number }
  | { kind: "elsewhere" }
  | { kind: "refused"; failure: Failure };

export type Input =
  | { kind: "event"; event: InterviewEvent }
  | { kind: "read"; interview: Interview; turns: readonly Turn[] }
  | { kind: "act"; act: Act }
  | { kind: "audio"; fact: AudioFact }
  | { kind: "link"; fact: LinkFact }
  | { kind: "failed"; failure: Failure }
  | { kind: "tick"; now: number };

export type Message = MessageInitShape<typeof CandidateMessageSchema>;

/** What the state region says, politely: keys of the words `room.said.*`. */
export type Announcement = "joined" | "lost" | "back" | "elsewhere" | "muted" | "unmuted" | "held" | "released" | "paused" | "resumed" | "degraded" | "recovered" | "ending";

export type Effect =
  | Sound
  | { kind: "sound"; utteranceId: string; action: "pause" | "resume" | "flush" | "end" }
  | { kind: "send"; message: Message }
  | { kind: "listen"; on: boolean }
  | { kind: "microphone"; open: boolean }
  | { kind: "remember"; token: string; seq: bigint }
  | { kind: "read" }
  | { kind: "call"; call: "pause" | "resume" | "end" }
  | { kind: "join" }
  | { kind: "announce"; what: Announcement; service?: string; remedy?: Remedy }
  | { kind: "leave"; to: "report" | "start" };

export interface Step {
  state: SessionState;
  effects: readonly Effect[];
}

export function initialState(interviewId: string, now: number): SessionState {
  return {
    interviewId,
    interview: InterviewState.UNSPECIFIED,
    phase: Phase.UNSPECIFIED,
    round: undefined,
    rounds: 3,
    language: "en",
    lastSeq: 0n,
    resumeToken: undefined,
    link: { kind: "joining" },
    backlog: undefined,
    utterances: [],
    captions: [],
    candidateSpeaks: false,
    waitingSince: undefined,
    held: false,
    patience: Patience.NORMAL,
    muted: false,
    pushToTalk: false,
    talking: false,
    microphone: "off",
    degraded: {},
    leaving: false,
    failure: undefined,
    now,
  };
}

/** Whether this page has no part in the interview until the candidate says so. */
export function isLeft(state: SessionState): boolean {
  return state.link.kind === "elsewhere" || state.link.kind === "refused";
}

/** Whether the candidate's voice goes out. */
export function hears(state: SessionState): boolean {
  if (isLeft(state)) return false;
  if (state.muted || state.interview === InterviewState.PAUSED) return false;
  return !state.pushToTalk || state.talking;
}
