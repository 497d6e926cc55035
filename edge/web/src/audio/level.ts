/** How loud, in dBFS and in words. */

export const FLOOR_DB = -90;

/** Root mean square, dBFS. */
export function levelDb(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return rms === 0 ? FLOOR_DB : Math.max(FLOOR_DB, 20 * Math.log10(rms));
}

export type Loudness = "nothing" | "quiet" | "good" | "loud";

/** In words, for speech at a usual distance. */
export function loudness(db: number): Loudness {
  if (db < -55) return "nothing";
  if (db < -38) return "quiet";
  return db > -8 ? "loud" : "good";
}

/** 0 to 1 for drawing: speech fills most of it. */
export function share(db: number): number {
  return Math.min(1, Math.max(0, (db + 60) / 50));
}

/** Rises at once and falls slowly, as eyes want it. */
export class Meter {
  private held = FLOOR_DB;

  take(db: number, ms: number): number {
    this.held = Math.max(db, this.held - ms * 0.05);
    return this.held;
  }
}

/** How much of a tone is in the samples, dBFS (Goertzel 1958). */
export function toneDb(samples: Float32Array, hz: number, rateHz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  let one = 0;
  let two = 0;
  for (const sample of samples) {
    const zero = sample + coefficient * one - two;
    two = one;
    one = zero;
  }
  const power = one * one + two * two - coefficient * one * two;
  const amplitude = (2 * Math.sqrt(Math.max(0, power))) / Math.max(1, samples.length);
  return amplitude === 0 ? FLOOR_DB : Math.max(FLOOR_DB, 20 * Math.log10(amplitude));
}
