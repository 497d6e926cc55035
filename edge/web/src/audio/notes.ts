/** Three notes that are easy to hear, and easy to find again in what a microphone hears. */
import { soundContext } from "@/audio/context";
import { toneDb } from "@/audio/level";

export const NOTES_HZ = [523.25, 659.25, 783.99] as const;
const NOTE_SECONDS = 0.35;
const REST_SECONDS = 0.08;
/** So much above what was there before, a tone is an echo. */
const ECHO_DB = 15;
const RATE_HZ = 16_000;

/** Plays them; resolves when the last has ended. */
export async function playNotes(): Promise<void> {
  const context = await soundContext();
  let at = context.currentTime + 0.05;
  for (const hz of NOTES_HZ) {
    const tone = new OscillatorNode(context, { type: "sine", frequency: hz });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.25, at + 0.02);
    volume.gain.setValueAtTime(0.25, at + NOTE_SECONDS - 0.08);
    volume.gain.linearRampToValueAtTime(0, at + NOTE_SECONDS);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + NOTE_SECONDS);
    at += NOTE_SECONDS + REST_SECONDS;
  }
  await new Promise((resolve) => setTimeout(resolve, (at - context.currentTime) * 1000 + 200));
}

/** Listens for the notes while they play. */
export class EchoProbe {
  private readonly before: number[] = [FLOOR, FLOOR, FLOOR];
  private readonly during: number[] = [FLOOR, FLOOR, FLOOR];

  /** @param audio 40 ms of samples at 16 kHz. */
  take(audio: Float32Array, playing: boolean): void {
    const heard = playing ? this.during : this.before;
    NOTES_HZ.forEach((hz, note) => {
      heard[note] = Math.max(heard[note] ?? FLOOR, toneDb(audio, hz, RATE_HZ));
    });
  }

  /** Whether at least two of the notes came back. */
  get echo(): boolean {
    const found = NOTES_HZ.filter((_, note) => (this.during[note] ?? FLOOR) > Math.max(-50, (this.before[note] ?? FLOOR) + ECHO_DB));
    return found.length >= 2;
  }
}

const FLOOR = -90;
