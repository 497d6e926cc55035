/** Where the words that a statement rests on stand in the text of a turn. */
import type { Evidence } from "@viva/interview/v1/report_pb";
import type { Turn } from "@viva/interview/v1/turn_pb";
import { milliseconds } from "@/session/durations";

/** A stretch of text, in UTF-16 units. */
export interface Span {
  from: number;
  to: number;
}

export interface Segment {
  text: string;
  /** Indices of the evidence it belongs to, ascending. */
  evidence: number[];
  /** Indices of the evidence that begins here. */
  begins: number[];
  /** Whether it belongs to the word that is being played. */
  playing: boolean;
}

/** Each word's place in the text, found one after the other; undefined where the text has it otherwise. */
export function wordSpans(turn: Pick<Turn, "text" | "words">): (Span | undefined)[] {
  let from = 0;
  return turn.words.map(({ text }) => {
    const wanted = text.trim();
    const found = wanted ? turn.text.indexOf(wanted, from) : -1;
    if (found < 0) return undefined;
    from = found + wanted.length;
    return { from: found, to: from };
  });
}

/** The stretch that evidence covers: by its words' times, else by its quote, else the whole turn. */
export function spanOf(turn: Pick<Turn, "text" | "words">, evidence: Evidence): Span {
  const start = milliseconds(evidence.start);
  const end = milliseconds(evidence.end);
  const spans = wordSpans(turn);
  const covered = turn.words.flatMap((word, at) => {
    const middle = (milliseconds(word.start) + milliseconds(word.end)) / 2;
    const span = spans[at];
    return span && middle >= start && middle <= end ? [span] : [];
  });
  const [first] = covered;
  const last = covered.at(-1);
  if (first && last) return { from: first.from, to: last.to };
  const quoted = evidence.quote ? turn.text.indexOf(evidence.quote) : -1;
  if (quoted >= 0) return { from: quoted, to: quoted + evidence.quote.length };
  return { from: 0, to: turn.text.length };
}

/** The turn's text cut at every bound of what marks it, so that evidence may overlap. Together they are the text. */
export function segments(turn: Pick<Turn, "text" | "words">, evidence: readonly Evidence[], playingWord?: number): Segment[] {
  const spans = evidence.map((one) => spanOf(turn, one));
  const word = playingWord === undefined ? undefined : wordSpans(turn)[playingWord];
  const bounds = new Set([0, turn.text.length]);
  for (const span of word ? [...spans, word] : spans) bounds.add(span.from).add(span.to);
  const cuts = [...bounds].sort((a, b) => a - b);
  return cuts.slice(1).map((to, at) => {
    const from = cuts[at] ?? 0;
    const holds = (span: Span) => span.from <= from && to <= span.to;
    const indices = spans.flatMap((span, index) => (holds(span) ? [index] : []));
    return {
      text: turn.text.slice(from, to),
      evidence: indices,
      begins: indices.filter((index) => spans[index]?.from === from),
      playing: word !== undefined && holds(word),
    };
  });
}

/** The word that sounds at a time of the interview's clock, ms. */
export function wordAt(turn: Pick<Turn, "words">, ms: number): number | undefined {
  const at = turn.words.findIndex(({ start, end }) => milliseconds(start) <= ms && ms < milliseconds(end));
  return at < 0 ? undefined : at;
}
