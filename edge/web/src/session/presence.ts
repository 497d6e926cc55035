/** The one thing that the interviewer is doing, as the ring shows it. */
import { InterviewState } from "@viva/interview/v1/interview_pb";
import { hears, type SessionState, type Utterance } from "@/session/state";

export type Presence = "joining" | "listening" | "muted" | "unheard" | "thinking" | "speaking" | "held" | "paused" | "away" | "over";

/** A reply that comes sooner needs no sign that it is coming. */
export const THINKING_MS = 400;

const OVER: readonly InterviewState[] = [
  InterviewState.REVIEWING,
  InterviewState.COMPLETED,
  InterviewState.CANCELLED,
  InterviewState.FAILED,
];

export function presence(state: SessionState): Presence {
  if (OVER.includes(state.interview)) return "over";
  if (state.link.kind === "elsewhere" || state.link.kind === "refused") return "away";
  if (state.interview === InterviewState.PAUSED) return "paused";
  const sounding = state.utterances.find(isSounding);
  if (sounding) return sounding.sound === "paused" ? "held" : "speaking";
  if (state.link.kind === "lost") return "away";
  if (state.link.kind === "joining") return "joining";
  if (state.waitingSince !== undefined && state.now - state.waitingSince >= THINKING_MS) return "thinking";
  if (!hears(state)) return "muted";
  // Whoever types is listened to as well; whose microphone fails is not.
  return state.microphone === "on" || state.microphone === "off" ? "listening" : "unheard";
}

/** Whether samples of it are played, or wait for "go on": from what was played, not from what was sent. */
export function isSounding(utterance: Utterance): boolean {
  if (utterance.rateHz === undefined || utterance.sound === "stopped" || utterance.drained) return false;
  return utterance.playedMs > 0;
}
