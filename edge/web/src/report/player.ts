/** Plays the stretch of the recording that evidence names. One at a time. */
import { shallowRef } from "vue";
import type { ReadRecordingResponse } from "@viva/interview/v1/interview_service_pb";
import { milliseconds } from "@/session/durations";

/** Speech begins before, and ends after, the times that a recogniser gives its words. */
export const AROUND_MS = 300;
const BYTES_A_SAMPLE = 2;

export interface Stretch {
  startMs: number;
  endMs: number;
}

export interface Playing {
  number: number;
  /** On the interview's clock. */
  atMs: number;
  loading: boolean;
}

/** What plays samples: `Loudspeaker`. Opened again, it stays as it is. */
export interface Speaker {
  open(): Promise<void>;
  close(): void;
  play(id: string, rateHz: number, audio: Uint8Array): void;
  control(id: string, action: "flush" | "end"): void;
}

type Read = (stretch: Stretch, signal: AbortSignal) => AsyncIterable<Pick<ReadRecordingResponse, "format" | "start" | "audio">>;

export class Player {
  readonly playing = shallowRef<Playing>();
  private stopping: AbortController | undefined;
  private run = 0;
  /** Where the sound begins, on the interview's clock. */
  private startMs = 0;

  constructor(
    private readonly read: Read,
    private readonly speaker: Speaker,
  ) {}

  /**
   * Plays a stretch with a little on either side, in place of what plays.
   *
   * @returns Whether anything of it was recorded.
   * @throws ConnectError When the recording could not be read.
   */
  async play(number: number, stretch: Stretch): Promise<boolean> {
    this.stop();
    const stopping = new AbortController();
    this.stopping = stopping;
    this.run += 1;
    const id = String(this.run);
    const wanted = { startMs: Math.max(0, stretch.startMs - AROUND_MS), endMs: stretch.endMs + AROUND_MS };
    this.startMs = wanted.startMs;
    this.playing.value = { number, atMs: wanted.startMs, loading: true };
    try {
      await this.speaker.open();
      const pieces = this.read(wanted, stopping.signal);
      const recorded = await this.feed(id, pieces, stopping.signal);
      if (!recorded) this.playing.value = undefined;
      return recorded;
    } catch (error) {
      if (stopping.signal.aborted) return true;
      this.stop();
      throw error;
    }
  }

  /** Whether there was anything to play, as far as was asked. */
  private async feed(id: string, pieces: ReturnType<Read>, signal: AbortSignal): Promise<boolean> {
    let rateHz = 16_000;
    let endMs: number | undefined;
    for await (const { format, start, audio } of pieces) {
      if (signal.aborted) return true;
      rateHz = format?.sampleRateHz ?? rateHz;
      const atMs = milliseconds(start);
      if (endMs === undefined) this.startMs = atMs;
      // Where nothing was recorded it is silent, so that the clock goes on.
      if (endMs !== undefined && atMs > endMs) this.speaker.play(id, rateHz, new Uint8Array(Math.round(((atMs - endMs) / 1000) * rateHz) * BYTES_A_SAMPLE));
      this.speaker.play(id, rateHz, audio);
      endMs = atMs + (audio.length / BYTES_A_SAMPLE / rateHz) * 1000;
    }
    this.speaker.control(id, "end");
    return signal.aborted || endMs !== undefined;
  }

  /** What the loudspeaker tells. */
  heard(id: string, playedMs: number, drained: boolean): void {
    if (id !== String(this.run) || !this.playing.value) return;
    this.playing.value = drained ? undefined : { ...this.playing.value, atMs: this.startMs + playedMs, loading: false };
  }

  stop(): void {
    this.stopping?.abort();
    if (this.playing.value) this.speaker.control(String(this.run), "flush");
    this.playing.value = undefined;
  }

  close(): void {
    this.stop();
    this.speaker.close();
  }
}
