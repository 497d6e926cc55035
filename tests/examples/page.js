// Runs the script of examples/talk.html before a document that is as small as can be.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { PAGE, EDGE, TOKEN, SCRATCH } = process.env;
const elements = {};
const lines = [];

globalThis.EDGE = EDGE;
globalThis.document = {
  getElementById: (id) =>
    (elements[id] ??= { value: "", append: (line) => lines.push(line.textContent) }),
  createElement: () => ({}),
};
// Guests are the gateway's business; everything else goes to the edge.
const { fetch } = globalThis;
globalThis.fetch = (address, options) =>
  address.endsWith("/v1/account:guest")
    ? Response.json({ credentials: { accessToken: TOKEN } })
    : fetch(address, options);

const script = /<script type="module">(.*)<\/script>/s.exec(readFileSync(PAGE, "utf8"))[1];
writeFileSync(SCRATCH, script);
await import(pathToFileURL(SCRATCH));

const until = async (count) => {
  while (lines.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
};
await elements.start.onclick();
await until(1);
elements.answer.value = "At home, in a café.";
elements.typed.onsubmit({ preventDefault() {} });
await until(3);

// A microphone that hears 40 ms of silence.
let microphone;
const devices = { getUserMedia: async () => ({}) };
Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: devices } });
globalThis.AudioContext = class {
  audioWorklet = { addModule: async () => {} };
  createMediaStreamSource = () => ({ connect() {} });
};
globalThis.AudioWorkletNode = class {
  port = {};
  constructor() {
    microphone = this;
  }
};
await elements.mic.onclick();
await until(4);
microphone.port.onmessage({ data: new Float32Array(640) });
await until(5);
process.stdout.write(JSON.stringify(lines), () => process.exit(0));
