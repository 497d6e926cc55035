/** How many questions of an interview have no answer: the score is of the others. */
import type { Report } from "@viva/interview/v1/report_pb";

export function unanswered(report: Report, rounds: number): number {
  return Math.max(0, rounds - report.questions.filter((one) => !one.declined).length);
}
