/** Scores over interviews, as lines and as a table. */
import type { Report } from "@viva/interview/v1/report_pb";

export interface Point {
  interviewId: string;
  /** ms since 1970 */
  at: number;
  report: Report;
}

export interface Series {
  /** The dimension; empty for the whole. */
  name: string;
  /** By interview, the oldest first; null where it has no such score. */
  scores: (number | null)[];
}

/** The whole first, then the dimensions in the order they first appear. Interviews without a score are left out. */
export function seriesOf(points: readonly Point[]): { at: number[]; series: Series[] } {
  const scored = points.filter(({ report }) => report.overallScore !== undefined).sort((a, b) => a.at - b.at);
  const names = [...new Set(scored.flatMap(({ report }) => report.dimensions.map(({ name }) => name)))];
  const whole = { name: "", scores: scored.map(({ report }) => Math.round(report.overallScore ?? 0)) };
  const dimensions = names.map((name) => ({
    name,
    scores: scored.map(({ report }) => {
      const found = report.dimensions.find((one) => one.name === name);
      return found ? Math.round(found.score) : null;
    }),
  }));
  return { at: scored.map(({ at }) => at), series: [whole, ...dimensions] };
}

/** When interviews were held: the day, and the time beside it where there were several that day. */
export function labelsOf(at: readonly number[], locale: string): string[] {
  const day = (ms: number) => new Date(ms).toLocaleDateString(locale, { month: "numeric", day: "numeric" });
  const days = at.map(day);
  return at.map((ms, one) => {
    const alone = days.indexOf(days[one] ?? "") === days.lastIndexOf(days[one] ?? "");
    return alone ? day(ms) : new Date(ms).toLocaleString(locale, { month: "numeric", day: "numeric", hour: "numeric", minute: "2-digit" });
  });
}

/** A difference as people write it: +4, −3, 0. */
export function signed(points: number): string {
  if (points === 0) return "0";
  return points > 0 ? `+${points}` : `−${-points}`;
}
