/** What every part of the report's page shares: the numbered evidence and its player. */
import { inject, provide, type InjectionKey, type ShallowRef } from "vue";
import type { EvidenceList, Numbered } from "@/report/evidence";
import type { Playing } from "@/report/player";

export interface ReportContext {
  evidence: EvidenceList;
  playing: Readonly<ShallowRef<Playing | undefined>>;
  /** Plays it, or stops it when it plays. */
  toggle: (one: Numbered) => void;
}

const KEY: InjectionKey<ReportContext> = Symbol("report");

export function provideReport(context: ReportContext): void {
  provide(KEY, context);
}

export function useReport(): ReportContext {
  const context = inject(KEY);
  if (!context) throw new Error("outside of a report");
  return context;
}
