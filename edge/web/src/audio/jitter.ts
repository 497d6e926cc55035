/**
 * The interviewer's sound between the network and the loudspeaker. It starts when enough has gathered
 * to bear the unevenness of arrivals, and stops, goes on or is thrown away with the next block.
 */

const LEAST_MS = 60;
const START_MS = 80;
const MOST_MS = 240;
/** What is left of a target after an utterance that never ran dry. */
const RELAX = 0.9;
/** A cut in the sound falls to silence, and rises from it, over so many ms: no click. */
const FADE_MS = 3;

export interface Position {
  utteranceId: string;
  playedMs: number;
  /** Everything that came was played. */
  drained: boolean;
}

interface Track {
  id: string;
  chunks: Float32Array[];
  /** Samples of the first chunk that were played. */
  used: number;
  played: number;
  received: number;
  firstArrival: number;
  /** Gathering, before the start and after it ran dry. */
  filling: boolean;
  paused: boolean;
  ended: boolean;
  ranDry: boolean;
}

export class JitterBuffer {
  private tracks: Track[] = [];
  /** What is thrown away stays so: its sound may still be on the way. */
  private readonly flushed = new Set<string>();
  private target = START_MS;
  private last = 0;
  private gain = 0;

  constructor(private readonly rateHz: number) {}

  /** How much gathers before playing starts, ms. */
  get targetMs(): number {
    return this.target;
  }

  push(id: string, samples: Float32Array, nowMs: number): void {
    if (this.flushed.has(id) || samples.length === 0) return;
    const track = this.track(id, nowMs);
    // How much later than its own place in the sound it came.
    const late = nowMs - track.firstArrival - this.ms(track.received);
    if (late > 0) this.target = clamp(Math.max(this.target, late + 40));
    track.chunks.push(samples);
    track.received += samples.length;
  }

  /** Nothing more comes of it. */
  end(id: string): void {
    const track = this.tracks.find((known) => known.id === id);
    if (track) track.ended = true;
  }

  pause(id: string): Position | undefined {
    return this.set(id, true);
  }

  resume(id: string): Position | undefined {
    return this.set(id, false);
  }

  private set(id: string, paused: boolean): Position | undefined {
    const track = this.tracks.find((known) => known.id === id);
    if (!track) return undefined;
    track.paused = paused;
    return this.position(track);
  }

  /** Throws it away. */
  flush(id: string): Position | undefined {
    this.flushed.add(id);
    const track = this.tracks.find((known) => known.id === id);
    this.tracks = this.tracks.filter((known) => known !== track);
    return track && this.position(track);
  }

  /** Fills a block; the positions of what ended with it. */
  render(out: Float32Array): Position[] {
    const over: Position[] = [];
    let at = 0;
    while (at < out.length) {
      const track = this.tracks[0];
      if (!track || track.paused || !this.ready(track)) break;
      at += this.play(track, out.subarray(at));
      if (track.chunks.length > 0) continue;
      if (track.ended) {
        over.push({ ...this.position(track), drained: true });
        if (!track.ranDry) this.target = clamp(this.target * RELAX);
        this.tracks.shift();
      } else {
        track.filling = true;
        track.ranDry = true;
        this.target = clamp(this.target * 1.5);
        over.push({ ...this.position(track), drained: true });
      }
    }
    this.silence(out.subarray(at));
    return over;
  }

  /** Where what is played stands; undefined when nothing is. */
  current(): Position | undefined {
    const track = this.tracks[0];
    return track && this.position(track);
  }

  private ready(track: Track): boolean {
    if (track.chunks.length === 0) {
      // An end that came with nothing left.
      if (track.ended) return true;
      return false;
    }
    if (!track.filling) return true;
    if (!track.ended && this.ms(track.received - track.played) < this.target) return false;
    track.filling = false;
    return true;
  }

  private play(track: Track, out: Float32Array): number {
    let made = 0;
    const step = 1000 / (FADE_MS * this.rateHz);
    while (made < out.length) {
      const chunk = track.chunks[0];
      if (!chunk) break;
      const count = Math.min(out.length - made, chunk.length - track.used);
      for (let i = 0; i < count; i += 1) {
        this.gain = Math.min(1, this.gain + step);
        this.last = (chunk[track.used + i] ?? 0) * this.gain;
        out[made + i] = this.last;
      }
      made += count;
      track.used += count;
      track.played += count;
      if (track.used === chunk.length) {
        track.chunks.shift();
        track.used = 0;
      }
    }
    return made;
  }

  private silence(out: Float32Array): void {
    const step = 1000 / (FADE_MS * this.rateHz);
    for (let i = 0; i < out.length; i += 1) {
      this.gain = Math.max(0, this.gain - step);
      this.last *= this.gain;
      out[i] = this.gain === 0 ? 0 : this.last;
    }
  }

  private track(id: string, nowMs: number): Track {
    let track = this.tracks.find((known) => known.id === id);
    if (!track) {
      track = { id, chunks: [], used: 0, played: 0, received: 0, firstArrival: nowMs, filling: true, paused: false, ended: false, ranDry: false };
      this.tracks.push(track);
    }
    return track;
  }

  private position(track: Track): Position {
    return { utteranceId: track.id, playedMs: this.ms(track.played), drained: track.chunks.length === 0 };
  }

  private ms(samples: number): number {
    return (samples * 1000) / this.rateHz;
  }
}

function clamp(ms: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, ms));
}
