/** What the candidate says, in order, kept until the server says that it has it. */
import { duration } from "@/session/durations";
import type { Message } from "@/session/state";

export const RATE_HZ = 16_000;
const SAMPLES_PER_MS = RATE_HZ / 1000;
const BYTES_PER_MS = 2 * SAMPLES_PER_MS;
/** So much audio is sent at a time; behind a full socket it gathers, up to `LARGEST_MS`. */
const PIECE_MS = 40;
const LARGEST_MS = 400;
/** Kept for another server to hear again; of more the beginning is given up, as the server does. */
const KEPT_MS = 120_000;
/** What was recorded without a connection and is still worth hearing. */
const AWAY_MS = 5_000;

/** Samples, and where they lie on the interview's timeline once they were sent. */
interface Frame {
  audio: Uint8Array;
  offsetMs: number | undefined;
  /** What was given up before it: it counts as silence. */
  gapMs: number;
  /** Whether it was recorded without a connection. */
  away: boolean;
}

/** Anything else that is not to be lost. */
interface Numbered {
  number: bigint;
  message: Message;
}

type Item = Frame | Numbered;

/**
 * What one client says, under a name of its own: audio, 16-bit little-endian mono samples at `RATE_HZ`,
 * and numbered messages. Where audio lies is settled when it is first sent. After `rewind` what the server
 * has not kept comes again, as it was and where it was: a message does not overtake the words that were
 * said before it.
 */
export class Outbox {
  /** By which the server tells whose messages and calls are numbered. */
  readonly client = crypto.randomUUID();
  private calls = 0n;
  private told: Item[] = [];
  private waiting: Item[] = [];
  private end = 0;
  private number = 0n;
  private away = false;
  private joined = false;

  /** Takes the next samples; before the first connection nobody is spoken to. */
  add(audio: Uint8Array): void {
    if (!this.joined) return;
    this.waiting.push({ audio, offsetMs: undefined, gapMs: 0, away: this.away });
    this.keep(AWAY_MS, (frame) => frame.away);
    this.keep(KEPT_MS, () => true);
  }

  /** Takes anything else that is not to be lost, and numbers it. */
  say(message: Message): void {
    this.number += 1n;
    this.waiting.push({ number: this.number, message: { ...message, number: this.number } });
  }

  /** The number of the next Speak call. */
  nextCall(): bigint {
    this.calls += 1n;
    return this.calls;
  }

  /** The server counts the calls anew. */
  countCallsAnew(): void {
    this.calls = 0n;
  }

  /** What is to be sent next; undefined when all was, or less than a piece has gathered. */
  next(): Message | undefined {
    const [first] = this.waiting;
    if (!first) return undefined;
    if (!isFrame(first)) {
      this.told.push(...this.waiting.splice(0, 1));
      return first.message;
    }
    const frames = this.run(first);
    // A part of a piece waits for the rest, unless something else follows.
    if (frames.reduce((sum, frame) => sum + lengthMs(frame), 0) < PIECE_MS && frames.length === this.waiting.length) return undefined;
    for (const frame of frames) this.place(frame);
    this.told.push(...this.waiting.splice(0, frames.length));
    return { message: { case: "audio", value: { chunk: { audio: joined(frames), offset: duration(first.offsetMs ?? this.end) } } } };
  }

  /** What was never sent begins here at least: somebody was heard up to it. */
  beginAt(receivedMs: number): void {
    this.end = Math.max(this.end, Math.round(receivedMs * SAMPLES_PER_MS) / SAMPLES_PER_MS);
    this.joined = true;
    this.away = false;
    for (const item of this.waiting) if (isFrame(item)) item.away = false;
  }

  /** The server has the audio before `offsetMs`, and the messages up to `number`. */
  forget(offsetMs: number, number: bigint): void {
    const needed = (item: Item) =>
      isFrame(item) ? item.offsetMs === undefined || item.offsetMs + lengthMs(item) > offsetMs + 0.5 : item.number > number;
    this.told = this.told.filter(needed);
    this.waiting = this.waiting.filter(needed);
  }

  /** The connection is gone: what is recorded from now on is kept for a while only. */
  cut(): void {
    this.away = true;
  }

  /** There is another connection: what the server has not kept goes out once more. */
  rewind(): void {
    this.waiting = [...this.told, ...this.waiting];
    this.told = [];
  }

  /** The frames at the head that make one piece. */
  private run(first: Frame): Frame[] {
    const frames: Frame[] = [];
    let ms = 0;
    for (const item of this.waiting) {
      if (!isFrame(item) || ms >= LARGEST_MS) break;
      const follows = first.offsetMs === undefined ? item.offsetMs === undefined && item.gapMs === 0 : item.offsetMs === first.offsetMs + ms;
      if (frames.length > 0 && !follows) break;
      frames.push(item);
      ms += lengthMs(item);
    }
    return frames;
  }

  private place(frame: Frame): void {
    if (frame.offsetMs !== undefined) return;
    frame.offsetMs = this.end + frame.gapMs;
    this.end = frame.offsetMs + lengthMs(frame);
  }

  /** Gives up the oldest of the frames that are chosen, above so much of them. */
  private keep(mostMs: number, chosen: (frame: Frame) => boolean): void {
    const frames = [...this.told, ...this.waiting].filter((item): item is Frame => isFrame(item) && chosen(item));
    let over = frames.reduce((sum, frame) => sum + lengthMs(frame), 0) - mostMs;
    for (const [at, frame] of frames.entries()) {
      if (over <= 0) return;
      over -= lengthMs(frame);
      this.told = this.told.filter((item) => item !== frame);
      this.waiting = this.waiting.filter((item) => item !== frame);
      const following = frames[at + 1];
      if (frame.offsetMs === undefined && following) following.gapMs += frame.gapMs + lengthMs(frame);
    }
  }
}

function isFrame(item: Item): item is Frame {
  return "audio" in item;
}

function lengthMs(frame: Frame): number {
  return frame.audio.length / BYTES_PER_MS;
}

function joined(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const audio = new Uint8Array(frames.reduce((sum, frame) => sum + frame.audio.length, 0));
  let at = 0;
  for (const { audio: samples } of frames) {
    audio.set(samples, at);
    at += samples.length;
  }
  return audio;
}
