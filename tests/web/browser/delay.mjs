// Holds an interview in Chromium, says recordings into the page's microphone, and prints for each how
// long after the end of its speech a reply began to sound: milliseconds, or null, a line an answer.
//
// node delay.mjs: VIVA_EDGE is where the page is, VIVA_CHROMIUM_PATH the browser; on standard input
// {"rate": Hz, "answers": [{"pcm": base64 of 16-bit samples, "end": seconds}, …]}.
import { text } from "node:stream/consumers";
import { chromium } from "@playwright/test";

const SPEAK_AFTER_MS = 300;
/** Of a line and what follows an "Okay.": so long nothing sounds before the candidate answers. */
const QUIET_MS = 2_000;
const LINE_MS = 60_000;

const { rate, answers } = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({
  executablePath: process.env.VIVA_CHROMIUM_PATH,
  args: ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--autoplay-policy=no-user-gesture-required"],
});
try {
  const page = await (await browser.newContext({ permissions: ["microphone"], baseURL: process.env.VIVA_EDGE })).newPage();
  await page.addInitScript(instrument);
  await enter(page);
  await page.getByRole("img", { name: /^Question 1 of/ }).waitFor({ timeout: LINE_MS });
  for (const answer of answers) {
    await page.evaluate(({ ms, quiet }) => window.bench.quiet(ms, quiet), { ms: LINE_MS, quiet: QUIET_MS });
    const ms = await page.evaluate(([said, hz, lead, most]) => window.bench.say(said, hz, lead, most), [answer, rate, SPEAK_AFTER_MS, LINE_MS]);
    console.log(JSON.stringify(ms));
  }
} finally {
  await browser.close();
}

/** A guest comes in: the start page, the microphone check, the room. */
async function enter(page) {
  await page.goto("/");
  await page.getByLabel("What position is it for?").fill("Backend engineer");
  await page.getByText("Adjust", { exact: true }).click();
  await page.getByRole("slider", { name: "Questions" }).fill("10");
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByRole("button", { name: /Go (on|to)/ }).click();
}

/** In the page, before its own scripts: a microphone that says what it is told, and an ear at the loudspeaker. */
function instrument() {
  const LISTEN_MS = 4;
  const SILENCE_MS = 100;
  let microphone;
  let ear;
  let samples;
  let sounded;
  /** When something began to sound after a silence. */
  const onsets = [];

  navigator.mediaDevices.getUserMedia = async () => {
    microphone ??= new AudioContext();
    await microphone.resume();
    const out = microphone.createMediaStreamDestination();
    // No microphone gives nothing at all.
    const hiss = microphone.createBuffer(1, microphone.sampleRate, microphone.sampleRate);
    const noise = hiss.getChannelData(0);
    for (let i = 0; i < noise.length; i += 1) noise[i] = 2e-4 * (Math.random() - 0.5);
    const source = new AudioBufferSourceNode(microphone, { buffer: hiss, loop: true });
    source.connect(out);
    source.start();
    microphone.out = out;
    return out.stream;
  };

  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...others) {
    if (target instanceof AudioDestinationNode && this.context !== microphone) {
      ear = new AnalyserNode(this.context, { fftSize: 4096 });
      samples = new Float32Array(ear.fftSize);
      connect.call(this, ear);
    }
    return connect.call(this, target, ...others);
  };

  /** The page's time, ms, of a moment of a context. */
  const since = (context, seconds) => performance.now() + (seconds - context.currentTime) * 1000;

  setInterval(() => {
    if (!ear) return;
    ear.getFloatTimeDomainData(samples);
    const began = samples.findIndex((sample) => sample !== 0);
    if (began < 0) return;
    const { context } = ear;
    const latency = (context.outputLatency || context.baseLatency || 0) * 1000;
    const at = (place) => since(context, context.currentTime - (samples.length - place) / context.sampleRate) + latency;
    if (sounded === undefined || at(began) - sounded > SILENCE_MS) onsets.push(at(began));
    sounded = at(samples.findLastIndex((sample) => sample !== 0));
  }, LISTEN_MS);

  const until = (done, most) =>
    new Promise((resolve) => {
      const started = performance.now();
      const timer = setInterval(() => {
        if (!done() && performance.now() - started < most) return;
        clearInterval(timer);
        resolve(done());
      }, LISTEN_MS);
    });

  window.bench = {
    /** Waits until something has sounded, and nothing more for so long. */
    quiet: (most, quiet) => until(() => performance.now() - sounded > quiet, most),
    /** Says a recording; ms from its speech's end to the first that began to sound after it. */
    async say(answer, rate, lead, most) {
      const bytes = Uint8Array.from(atob(answer.pcm), (letter) => letter.charCodeAt(0));
      const buffer = microphone.createBuffer(1, bytes.length / 2, rate);
      buffer.getChannelData(0).set(Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768));
      const source = new AudioBufferSourceNode(microphone, { buffer });
      source.connect(microphone.out);
      const begins = microphone.currentTime + lead / 1000;
      const end = since(microphone, begins + answer.end);
      source.start(begins);
      const reply = () => onsets.find((at) => at >= end);
      await until(() => reply() !== undefined, most);
      return reply() === undefined ? null : reply() - end;
    },
  };
}
