/** The microphone, off the page's thread: 16 kHz, 16 bits, frames of 20 ms, two at a time. */
import { levelDb } from "@/audio/level";
import { Resampler, toS16 } from "@/audio/resampler";

const RATE_HZ = 16_000;
const PIECE = (RATE_HZ * 40) / 1000;

export interface Captured {
  audio: Uint8Array<ArrayBuffer>;
  db: number;
  /** Every sample is zero: a device that gives nothing. */
  zeros: boolean;
}

class Capture extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, RATE_HZ);
  private readonly piece = new Float32Array(PIECE);
  private filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0] ?? [];
    const first = channels[0];
    if (!first) return true;
    let mono = first;
    if (channels.length > 1) {
      mono = new Float32Array(first.length);
      for (const channel of channels) for (let i = 0; i < mono.length; i += 1) mono[i] = (mono[i] ?? 0) + (channel[i] ?? 0) / channels.length;
    }
    for (const sample of this.resampler.push(mono)) {
      this.piece[this.filled] = sample;
      this.filled += 1;
      if (this.filled < PIECE) continue;
      this.filled = 0;
      const audio = toS16(this.piece);
      const captured: Captured = { audio, db: levelDb(this.piece), zeros: this.piece.every((value) => value === 0) };
      this.port.postMessage(captured, [audio.buffer]);
    }
    return true;
  }
}

registerProcessor("viva-capture", Capture);
