/** Another sample rate for a stream: a windowed sinc at every phase that occurs. */

/** Zero crossings of the sinc on either side: −60 dB with the window below. */
const CROSSINGS = 8;

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

export class Resampler {
  private readonly up: number;
  private readonly down: number;
  private readonly half: number;
  private readonly phases: Float32Array[];
  /** The samples that are still needed, the first of them `half` before the next output. */
  private kept: Float32Array;
  private phase = 0;
  private at = 0;

  constructor(fromHz: number, toHz: number) {
    const divisor = greatestDivisor(fromHz, toHz);
    this.up = toHz / divisor;
    this.down = fromHz / divisor;
    // Below the lower of both Nyquist frequencies, with room for the filter's slope.
    const cutoff = Math.min(1, toHz / fromHz) * 0.94;
    this.half = Math.ceil(CROSSINGS / cutoff);
    this.phases = Array.from({ length: this.up }, (_, phase) => this.taps(phase / this.up, cutoff));
    this.kept = new Float32Array(this.half - 1);
  }

  private taps(fraction: number, cutoff: number): Float32Array {
    const taps = new Float32Array(2 * this.half);
    let sum = 0;
    for (let i = 0; i < taps.length; i += 1) {
      const x = i - (this.half - 1) - fraction;
      const angle = Math.PI * x * cutoff;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / this.half);
      taps[i] = (Math.abs(x) >= this.half ? 0 : window) * (angle === 0 ? 1 : Math.sin(angle) / angle);
      sum += taps[i] ?? 0;
    }
    return taps.map((tap) => tap / sum);
  }

  /** The output of these samples and what was kept; it comes `half` input samples late. */
  push(samples: Float32Array): Float32Array {
    const input = new Float32Array(this.kept.length + samples.length);
    input.set(this.kept);
    input.set(samples, this.kept.length);
    const most = Math.ceil(((input.length - this.at) * this.up) / this.down) + 1;
    const out = new Float32Array(Math.max(0, most));
    let made = 0;
    while (this.at + 2 * this.half <= input.length) {
      const taps = this.phases[this.phase] as Float32Array;
      let sum = 0;
      for (let i = 0; i < taps.length; i += 1) sum += (taps[i] as number) * (input[this.at + i] as number);
      out[made] = sum;
      made += 1;
      this.phase += this.down;
      this.at += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    const used = Math.min(this.at, input.length);
    this.kept = input.slice(used);
    this.at -= used;
    return out.subarray(0, made);
  }
}

/** 16-bit little-endian samples. */
export function toS16(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new DataView(new ArrayBuffer(samples.length * 2));
  for (let i = 0; i < samples.length; i += 1) {
    const sample = Math.max(-1, Math.min(1, samples[i] ?? 0));
    bytes.setInt16(i * 2, Math.round(sample * 32767), true);
  }
  return new Uint8Array(bytes.buffer);
}

export function fromS16(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.byteLength >> 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = view.getInt16(i * 2, true) / 32768;
  return samples;
}
