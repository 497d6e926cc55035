/** How all spoken answers together were spoken. */
import type { DeliveryFigures, Report } from "@viva/interview/v1/report_pb";
import { milliseconds } from "@/session/durations";

export interface Delivery {
  /** Words; of Chinese, characters. */
  words: number;
  wordsPerMinute: number;
  fillers: number;
  pauses: number;
  longestPauseMs: number;
  fromSound: boolean;
}

/** Undefined when every answer was typed. The pace is weighed by how long each answer took. */
export function delivery(report: Pick<Report, "questions">): Delivery | undefined {
  const spoken = report.questions.flatMap((question): DeliveryFigures[] => (question.delivery ? [question.delivery] : []));
  if (spoken.length === 0) return undefined;
  const sum = (of: (one: DeliveryFigures) => number) => spoken.reduce((total, one) => total + of(one), 0);
  const minutes = sum((one) => (one.wordsPerMinute > 0 ? one.words / one.wordsPerMinute : 0));
  return {
    words: sum((one) => one.words),
    wordsPerMinute: minutes > 0 ? Math.round(sum((one) => (one.wordsPerMinute > 0 ? one.words : 0)) / minutes) : 0,
    fillers: sum((one) => one.fillers),
    pauses: sum((one) => one.pauses),
    longestPauseMs: Math.max(...spoken.map((one) => milliseconds(one.longestPause))),
    fromSound: spoken.every((one) => one.fromSound),
  };
}
