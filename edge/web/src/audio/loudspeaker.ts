/** The interviewer's voice: takes samples as they come, tells what was heard. */
import { soundContext } from "@/audio/context";
import type { Command, Told } from "@/audio/playback.worklet";
import { fromS16, Resampler } from "@/audio/resampler";

export interface Heard {
  utteranceId: string;
  playedMs: number;
  drained: boolean;
}

export interface LoudspeakerListener {
  heard: (heard: Heard) => void;
  /** Ten times a second, also in a hidden tab: how loud it plays. */
  tick: (db: number) => void;
}

export class Loudspeaker {
  private context: AudioContext | undefined;
  private worklet: AudioWorkletNode | undefined;
  private readonly resamplers = new Map<string, Resampler>();
  private readonly early: Command[] = [];
  private opening = 0;

  constructor(private readonly listener: LoudspeakerListener) {}

  /**
   * Opens it, where it is not open.
   *
   * @throws DOMException When the sound could not be loaded; opening again tries again.
   */
  async open(): Promise<void> {
    if (this.worklet) return;
    const turn = ++this.opening;
    const context = await soundContext();
    // Closed, or opened again, meanwhile.
    if (turn !== this.opening) return;
    this.context = context;
    this.worklet = new AudioWorkletNode(context, "viva-playback", { numberOfInputs: 0, outputChannelCount: [2] });
    this.worklet.port.onmessage = ({ data }: MessageEvent<Told>) => this.told(data);
    this.worklet.connect(context.destination);
    for (const command of this.early.splice(0)) this.command(command);
  }

  close(): void {
    this.opening += 1;
    this.early.length = 0;
    this.worklet?.disconnect();
    this.worklet?.port.close();
    this.worklet = undefined;
    this.resamplers.clear();
  }

  /** 16-bit samples of an utterance, in order. */
  play(utteranceId: string, rateHz: number, audio: Uint8Array): void {
    const toHz = this.context?.sampleRate;
    if (toHz === undefined) return;
    let samples = fromS16(audio);
    if (rateHz !== toHz) {
      let resampler = this.resamplers.get(utteranceId);
      if (!resampler) {
        resampler = new Resampler(rateHz, toHz);
        this.resamplers.set(utteranceId, resampler);
      }
      samples = resampler.push(samples).slice();
    }
    this.command({ kind: "push", utteranceId, samples });
  }

  control(utteranceId: string, action: "pause" | "resume" | "flush" | "end"): void {
    if (action === "flush" || action === "end") this.resamplers.delete(utteranceId);
    this.command({ kind: action, utteranceId });
  }

  private command(command: Command): void {
    if (this.worklet) this.worklet.port.postMessage(command);
    else this.early.push(command);
  }

  private told(told: Told): void {
    if (told.kind === "level") {
      this.listener.tick(told.db);
      return;
    }
    const { utteranceId, playedMs, drained } = told.position;
    // What left the page is in the device for a while before it is heard.
    const latencyMs = (this.context?.outputLatency ?? 0) * 1000;
    this.listener.heard({ utteranceId, playedMs: Math.max(0, playedMs - (drained ? 0 : latencyMs)), drained });
  }
}
