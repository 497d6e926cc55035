/** Every stretch that the report rests on, once, numbered as one reads the transcript. */
import type { Evidence, Report } from "@viva/interview/v1/report_pb";
import type { Turn } from "@viva/interview/v1/turn_pb";
import { milliseconds } from "@/session/durations";

export interface Numbered {
  number: number;
  evidence: Evidence;
  /** Nothing of a typed turn can be played. */
  typed: boolean;
}

function keyOf(evidence: Evidence): string {
  return `${evidence.turnId} ${milliseconds(evidence.start)} ${milliseconds(evidence.end)} ${evidence.quote}`;
}

export class EvidenceList {
  readonly all: Numbered[];
  private readonly byKey: ReadonlyMap<string, Numbered>;

  constructor(report: Report, turns: readonly Turn[]) {
    const order = new Map(turns.map((turn, at) => [turn.id, { at, typed: turn.typed }]));
    const dimensions = [...report.dimensions, ...report.questions.flatMap((question) => question.dimensions)];
    const points = report.questions.flatMap((question) => question.keyPoints);
    const told = [...dimensions.flatMap((dimension) => dimension.evidence), ...points.flatMap((point) => point.evidence ?? [])];
    // What rests on a turn that is not there cannot be shown.
    const unique = new Map(told.filter((one) => order.has(one.turnId)).map((one) => [keyOf(one), one]));
    const place = (one: Evidence) => order.get(one.turnId)?.at ?? 0;
    const sorted = [...unique.values()].sort((a, b) => place(a) - place(b) || milliseconds(a.start) - milliseconds(b.start));
    this.all = sorted.map((evidence, at) => ({ number: at + 1, evidence, typed: order.get(evidence.turnId)?.typed ?? false }));
    this.byKey = new Map(this.all.map((one) => [keyOf(one.evidence), one]));
  }

  of(evidence: readonly Evidence[]): Numbered[] {
    return evidence.flatMap((one) => this.byKey.get(keyOf(one)) ?? []);
  }

  inTurn(turnId: string): Numbered[] {
    return this.all.filter((one) => one.evidence.turnId === turnId);
  }
}
