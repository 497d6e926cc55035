/** A few seconds of what the microphone hears, kept by the page alone, to be heard once more. */
import { soundContext } from "@/audio/context";

/** What a microphone's pieces are sampled at. */
export const TAKE_HZ = 16_000;
export const TAKE_SECONDS = 3;

export class Take {
  private readonly samples: Float32Array<ArrayBuffer>;
  private filled = 0;

  constructor(seconds = TAKE_SECONDS) {
    this.samples = new Float32Array(seconds * TAKE_HZ);
  }

  /** Takes the next samples, as far as there is room; whether it is full. */
  add(samples: Float32Array): boolean {
    const room = samples.subarray(0, this.samples.length - this.filled);
    this.samples.set(room, this.filled);
    this.filled += room.length;
    return this.filled === this.samples.length;
  }

  /** Plays what was taken; resolves when its end was played, or `signal` ended it. */
  async play(signal: AbortSignal): Promise<void> {
    const context = await soundContext();
    if (signal.aborted || this.filled === 0) return;
    const buffer = context.createBuffer(1, this.filled, TAKE_HZ);
    buffer.copyToChannel(this.samples.subarray(0, this.filled), 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    await new Promise<void>((resolve) => {
      source.onended = () => resolve();
      // Where the system takes the sound away it never ends.
      setTimeout(resolve, buffer.duration * 1000 + 1_000);
      signal.addEventListener("abort", () => source.stop(), { once: true });
      source.start();
    });
    source.disconnect();
  }
}
