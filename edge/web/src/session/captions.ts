/** What both sides said, as it is shown: pure data, from events alone. */
import type { SpokenWord } from "@viva/interview/v1/conversation_pb";
import { Speaker, type Turn } from "@viva/interview/v1/turn_pb";
import { milliseconds } from "@/session/durations";

export interface InterviewerLine {
  speaker: "interviewer";
  id: string;
  text: string;
  /** Characters of `text` with the time at which their word ends in the audio, in order. */
  words: { until: number; startMs: number; endMs: number }[];
  /** Whether sound is expected; without it the text is shown as it comes. */
  sounds: boolean;
  heardMs: number;
  ended: boolean;
  /** Whether it was cut short: `text` is then what was heard. */
  cut: boolean;
}

export interface CandidateLine {
  speaker: "candidate";
  id: string;
  stable: string;
  unstable: string;
  /** Whether the turn is over. */
  ended: boolean;
  typed: boolean;
}

export type CaptionLine = InterviewerLine | CandidateLine;

/** The candidate's line that has no turn yet. */
export const UNDER_WAY = "under-way";
/** Lines kept; the transcript has the rest. */
const KEPT = 60;

export function withLine(lines: readonly CaptionLine[], line: CaptionLine): readonly CaptionLine[] {
  const at = lines.findIndex((other) => other.id === line.id && other.speaker === line.speaker);
  if (at >= 0) return lines.with(at, line);
  // What the candidate is saying stays last: the interviewer's sound may come before their turn.
  return [...lines, line].slice(-KEPT);
}

export function without(lines: readonly CaptionLine[], id: string): readonly CaptionLine[] {
  return lines.filter((line) => line.id !== id);
}

export function interviewerLine(lines: readonly CaptionLine[], id: string): InterviewerLine | undefined {
  return lines.find((line): line is InterviewerLine => line.speaker === "interviewer" && line.id === id);
}

export function begun(id: string, sounds: boolean): InterviewerLine {
  return { speaker: "interviewer", id, text: "", words: [], sounds, heardMs: 0, ended: false, cut: false };
}

/** Finds each word behind the one before in the text: nothing is joined with spaces. */
export function withWords(line: InterviewerLine, spoken: readonly SpokenWord[]): InterviewerLine {
  const words = [...line.words];
  for (const word of spoken) {
    const from = words.at(-1)?.until ?? 0;
    const at = line.text.indexOf(word.text, from);
    const until = at < 0 ? from : at + word.text.length;
    words.push({ until, startMs: milliseconds(word.start), endMs: milliseconds(word.end) });
  }
  return { ...line, words };
}

export function turnLine(turn: Turn): CaptionLine {
  if (turn.speaker === Speaker.INTERVIEWER) {
    return { ...begun(turn.id, false), text: turn.text, ended: true };
  }
  return { speaker: "candidate", id: turn.id, stable: turn.text, unstable: "", ended: true, typed: turn.typed };
}

/** The text in two parts: heard, and coming. What has no sound yet is not shown. */
export function heardParts(line: InterviewerLine): { heard: string; coming: string } {
  if (line.cut || !line.sounds) return { heard: line.text, coming: "" };
  const heard = line.words.findLast((word) => word.startMs <= line.heardMs);
  const arrived = line.words.at(-1);
  // A phrase whose voice tells no word times is shown whole.
  if (!arrived) return line.ended ? { heard: line.text, coming: "" } : { heard: "", coming: line.text };
  const heardUntil = heard ? withMarks(line.text, heard.until) : 0;
  const shownUntil = line.ended ? line.text.length : withMarks(line.text, arrived.until);
  return { heard: line.text.slice(0, heardUntil), coming: line.text.slice(heardUntil, shownUntil) };
}

/** The end of the marks that follow a word. */
function withMarks(text: string, from: number): number {
  const rest = /^[\p{P}\s]*/u.exec(text.slice(from));
  return from + (rest?.[0].length ?? 0);
}
