/** The loudspeaker, off the page's thread; it also tells the time: timers of hidden pages stand still. */
import { JitterBuffer, type Position } from "@/audio/jitter";

/** How often the position is told. */
const TELL_SECONDS = 0.2;
/** How often the time is told. */
const TICK_SECONDS = 0.1;

export type Command =
  | { kind: "push"; utteranceId: string; samples: Float32Array }
  | { kind: "pause" | "resume" | "flush" | "end"; utteranceId: string };

export type Told = { kind: "position"; position: Position } | { kind: "level"; db: number };

class Playback extends AudioWorkletProcessor {
  private readonly buffer = new JitterBuffer(sampleRate);
  private told = 0;
  private ticked = 0;
  private loudest = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Command>) => this.obey(data);
  }

  private obey(command: Command): void {
    switch (command.kind) {
      case "push":
        this.buffer.push(command.utteranceId, command.samples, currentTime * 1000);
        return;
      case "end":
        this.buffer.end(command.utteranceId);
        return;
      default:
        this.tell(this.buffer[command.kind](command.utteranceId));
    }
  }

  private tell(position: Position | undefined): void {
    if (!position) return;
    this.told = currentTime;
    this.port.postMessage({ kind: "position", position } satisfies Told);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [first, ...others] = outputs[0] ?? [];
    if (!first) return true;
    for (const position of this.buffer.render(first)) this.tell(position);
    for (const channel of others) channel.set(first);
    for (const sample of first) this.loudest = Math.max(this.loudest, Math.abs(sample));
    if (currentTime - this.told >= TELL_SECONDS) this.tell(this.buffer.current());
    if (currentTime - this.ticked >= TICK_SECONDS) {
      this.ticked = currentTime;
      const db = this.loudest === 0 ? -90 : 20 * Math.log10(this.loudest);
      this.port.postMessage({ kind: "level", db } satisfies Told);
      this.loudest = 0;
    }
    return true;
  }
}

registerProcessor("viva-playback", Playback);
