/** The candidate's audio with its place on the interview's timeline, kept until the server has it. */

export const RATE_HZ = 16_000;
const BYTES_PER_MS = (RATE_HZ * 2) / 1000;
/** So much is sent at a time; behind a full socket it gathers, up to `LARGEST_MS`. */
const PIECE_MS = 40;
const LARGEST_MS = 400;
/** Kept for another server to hear again; of more the beginning is given up, as the server does. */
const KEPT_MS = 120_000;
/** What was recorded without a connection and is still worth hearing. */
const AWAY_MS = 5_000;

export interface Piece {
  offsetMs: number;
  /** 16-bit little-endian mono samples at `RATE_HZ`. */
  audio: Uint8Array;
}

interface Frame extends Piece {
  away: boolean;
}

export class Outbox {
  private frames: Frame[] = [];
  /** How many of the frames were sent. */
  private sent = 0;
  private end: number;
  private away = false;

  /** @param startMs Where this page's audio begins: what the interview heard before lies before it. */
  constructor(startMs = 0) {
    this.end = startMs;
  }

  /** Where the next samples will lie, ms from the interview's first. */
  get endMs(): number {
    return this.end;
  }

  /** Recorded and not sent, ms. */
  get waitingMs(): number {
    return this.frames.slice(this.sent).reduce((sum, frame) => sum + lengthMs(frame), 0);
  }

  /** Takes the next samples. */
  add(audio: Uint8Array): void {
    this.frames.push({ offsetMs: this.end, audio, away: this.away });
    this.end += audio.length / BYTES_PER_MS;
    this.drop((frame) => frame.away && frame.offsetMs + lengthMs(frame) <= this.end - AWAY_MS);
    this.drop((frame) => frame.offsetMs < this.end - KEPT_MS);
  }

  /** Time passes in which nothing is recorded: it counts as silence. */
  skip(ms: number): void {
    this.end += Math.max(0, ms);
  }

  /** The next samples to send; undefined while less than a piece has gathered. */
  next(): Piece | undefined {
    const first = this.frames[this.sent];
    if (!first) return undefined;
    let until = this.sent;
    let ms = 0;
    for (let at = this.sent; at < this.frames.length && ms < LARGEST_MS; at += 1) {
      const frame = this.frames[at];
      if (!frame || Math.abs(frame.offsetMs - (first.offsetMs + ms)) > 0.5) break;
      ms += lengthMs(frame);
      until = at + 1;
    }
    // A part of a piece waits for the rest, unless what follows lies elsewhere.
    if (ms < PIECE_MS && until === this.frames.length) return undefined;
    const frames = this.frames.slice(this.sent, until);
    this.sent = until;
    return { offsetMs: first.offsetMs, audio: joined(frames) };
  }

  /** The server has everything before. */
  acknowledged(offsetMs: number): void {
    this.drop((frame) => frame.offsetMs + lengthMs(frame) <= offsetMs + 0.5);
  }

  /** The connection is gone: what is recorded from now on is kept for a while only. */
  cut(): void {
    this.away = true;
  }

  /** There is a connection again: what the server has not acknowledged goes out once more. */
  rewind(): void {
    this.away = false;
    this.sent = 0;
    this.frames = this.frames.map((frame) => ({ ...frame, away: false }));
  }

  private drop(gone: (frame: Frame) => boolean): void {
    let sentGone = 0;
    this.frames = this.frames.filter((frame, at) => {
      if (!gone(frame)) return true;
      if (at < this.sent) sentGone += 1;
      return false;
    });
    this.sent -= sentGone;
  }
}

function lengthMs(frame: Piece): number {
  return frame.audio.length / BYTES_PER_MS;
}

function joined(frames: readonly Piece[]): Uint8Array {
  const audio = new Uint8Array(frames.reduce((sum, frame) => sum + frame.audio.length, 0));
  let at = 0;
  for (const frame of frames) {
    audio.set(frame.audio, at);
    at += frame.audio.length;
  }
  return audio;
}
