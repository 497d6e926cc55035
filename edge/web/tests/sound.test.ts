import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JitterBuffer } from "@/audio/jitter";
import { FLOOR_DB, levelDb, loudness, toneDb } from "@/audio/level";
import { EchoProbe, NOTES_HZ } from "@/audio/notes";
import { fromS16, Resampler, toS16 } from "@/audio/resampler";
import { Take, TAKE_HZ } from "@/audio/take";

function tone(hz: number, rateHz: number, samples: number, amplitude = 0.5): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rateHz));
}

function resample(samples: Float32Array, from: number, to: number, block: number): Float32Array {
  const resampler = new Resampler(from, to);
  const out: number[] = [];
  for (let at = 0; at < samples.length; at += block) out.push(...resampler.push(samples.subarray(at, at + block)));
  return Float32Array.from(out);
}

describe("the resampler", () => {
  it.each([44100, 48000, 96000, 32000, 16000])("keeps a tone of 1 kHz from %i Hz", (rate) => {
    const out = resample(tone(1000, rate, rate), rate, 16000, 128).subarray(1000, 15000);
    expect(toneDb(out, 1000, 16000)).toBeCloseTo(20 * Math.log10(0.5), 0);
  });

  it.each([44100, 48000])("lets nothing above 8 kHz fold back from %i Hz", (rate) => {
    const out = resample(tone(11000, rate, rate), rate, 16000, 128).subarray(1000, 15000);
    expect(levelDb(out)).toBeLessThan(-50);
  });

  it("gives the same whatever the blocks", () => {
    const input = tone(440, 44100, 8820);
    const whole = resample(input, 44100, 16000, input.length);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999 }), (block) => {
        expect(resample(input, 44100, 16000, block)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  it("gives as many samples as time has passed, but for its delay", () => {
    expect(Math.abs(resample(new Float32Array(44100), 44100, 16000, 128).length - 16000)).toBeLessThan(40);
  });

  it("16-bit samples come back as they were", () => {
    const samples = Float32Array.of(0, 0.5, -0.5, 0.999, -1);
    const back = fromS16(toS16(samples));
    for (let i = 0; i < samples.length; i += 1) expect(back[i]).toBeCloseTo(samples[i] ?? 0, 3);
  });
});

const RATE = 48000;
const BLOCK = 128;
const blocks = (ms: number) => Math.ceil((ms * RATE) / 1000 / BLOCK);
const sound = (ms: number) => new Float32Array((ms * RATE) / 1000).fill(0.5);

function render(buffer: JitterBuffer, ms: number) {
  const out: number[] = [];
  const positions = [];
  for (let i = 0; i < blocks(ms); i += 1) {
    const block = new Float32Array(BLOCK);
    positions.push(...buffer.render(block));
    out.push(...block);
  }
  return { out, positions };
}

describe("the jitter buffer", () => {
  it("waits for 80 ms before it plays", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push("a", sound(60), 0);
    expect(render(buffer, 20).out.every((sample) => sample === 0)).toBe(true);
    buffer.push("a", sound(40), 10);
    expect(render(buffer, 20).out.at(-1)).toBeGreaterThan(0.4);
  });

  it("plays what is shorter as soon as it has ended", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push("a", sound(30), 0);
    buffer.end("a");
    const { positions } = render(buffer, 60);
    expect(positions).toEqual([{ utteranceId: "a", playedMs: 30, drained: true }]);
  });

  it("is silent within two blocks of a pause, and goes on at the same sample", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push("a", sound(400), 0);
    render(buffer, 100);
    const paused = buffer.pause("a");
    expect(render(buffer, 50).out.slice(2 * BLOCK).every((sample) => sample === 0)).toBe(true);
    expect(buffer.resume("a")?.playedMs).toBe(paused?.playedMs);
    expect(render(buffer, 20).out.at(-1)).toBeGreaterThan(0.4);
  });

  it("after a flush nothing of it sounds, whatever still comes", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push("a", sound(400), 0);
    render(buffer, 100);
    buffer.flush("a");
    buffer.push("a", sound(400), 5);
    expect(render(buffer, 300).out.slice(2 * BLOCK).every((sample) => sample === 0)).toBe(true);
  });

  it("plays the next utterance after one that was thrown away", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push("a", sound(400), 0);
    buffer.push("b", sound(400), 0);
    render(buffer, 50);
    buffer.flush("a");
    render(buffer, 50);
    expect(buffer.current()?.utteranceId).toBe("b");
  });

  it("gathers more after it ran dry, and never more than 240 ms", () => {
    const buffer = new JitterBuffer(RATE);
    for (let i = 0; i < 30; i += 1) {
      buffer.push("a", sound(250), i * 250);
      render(buffer, 300);
    }
    expect(buffer.targetMs).toBe(240);
  });

  it("gathers less, and never less than 60 ms, where nothing runs dry", () => {
    const buffer = new JitterBuffer(RATE);
    for (let i = 0; i < 10; i += 1) {
      buffer.push(`u${i}`, sound(200), 0);
      buffer.end(`u${i}`);
      render(buffer, 250);
    }
    expect(buffer.targetMs).toBe(60);
  });

  it("plays every sample once, in order, whatever the pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        const buffer = new JitterBuffer(RATE);
        let total = 0;
        for (const size of sizes) {
          buffer.push("a", new Float32Array(size).fill(0.25), 0);
          total += size;
        }
        buffer.end("a");
        const { positions } = render(buffer, (total * 1000) / RATE + 20);
        expect(positions.at(-1)?.drained).toBe(true);
        expect(positions.at(-1)?.playedMs).toBeCloseTo((total * 1000) / RATE, 6);
      }),
      { numRuns: 30 },
    );
  });
});

describe("levels", () => {
  it("a full sine is −3 dBFS, silence the floor", () => {
    expect(levelDb(tone(1000, 16000, 16000, 1))).toBeCloseTo(-3, 1);
    expect(levelDb(new Float32Array(100))).toBe(FLOOR_DB);
  });

  it("words follow the level", () => {
    expect([-80, -45, -20, -3].map(loudness)).toEqual(["nothing", "quiet", "good", "loud"]);
  });
});

describe("the echo", () => {
  const heard = (amplitude: number, playing: boolean, probe: EchoProbe) => {
    for (const hz of NOTES_HZ) probe.take(tone(hz, 16000, 640, amplitude), playing);
  };

  it("is found when the notes come back", () => {
    const probe = new EchoProbe();
    probe.take(tone(200, 16000, 640, 0.001), false);
    heard(0.05, true, probe);
    expect(probe.echo).toBe(true);
  });

  it("is none in silence, nor when the same tones were there before", () => {
    expect(new EchoProbe().echo).toBe(false);
    const probe = new EchoProbe();
    heard(0.05, false, probe);
    heard(0.05, true, probe);
    expect(probe.echo).toBe(false);
  });
});

describe("a take", () => {
  it("is full when its time is over, whatever the pieces, and takes no more", () => {
    const take = new Take(1);
    for (let taken = 640; taken < TAKE_HZ; taken += 640) expect(take.add(tone(440, TAKE_HZ, 640))).toBe(false);
    expect(take.add(tone(440, TAKE_HZ, 999))).toBe(true);
    expect(take.add(tone(440, TAKE_HZ, 640))).toBe(true);
  });
});
