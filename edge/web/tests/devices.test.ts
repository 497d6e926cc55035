/** Microphone and loudspeaker where the page's own code for sound comes late, or not at once. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";

vi.mock("@/audio/capture.worklet.ts?worker&url", () => ({ default: "capture.js" }));
vi.mock("@/audio/playback.worklet.ts?worker&url", () => ({ default: "playback.js" }));

class Track {
  live = true;
  stop(): void {
    this.live = false;
  }
  addEventListener(): void {}
}

/** What was asked for, and what it gives: a worklet remembers what an address gave it. */
let fetched: string[] = [];
let given = new Map<string, Promise<void>>();
let fetches: (url: string) => Promise<void>;
let tracks: Track[] = [];
let nodes = 0;

beforeEach(() => {
  vi.resetModules();
  fetched = [];
  given = new Map();
  fetches = () => Promise.resolve();
  tracks = [];
  nodes = 0;
  const addModule = (url: string): Promise<void> => {
    fetched.push(url);
    const answer = given.get(url) ?? fetches(url);
    given.set(url, answer);
    return answer;
  };
  vi.stubGlobal(
    "AudioContext",
    class {
      readonly state = "running";
      readonly audioWorklet = { addModule };
      createMediaStreamSource() {
        return { connect: () => undefined, disconnect: () => undefined };
      }
    },
  );
  vi.stubGlobal(
    "AudioWorkletNode",
    class {
      readonly port = { close: () => undefined, postMessage: () => undefined };
      constructor() {
        nodes += 1;
      }
      connect(): void {}
      disconnect(): void {}
    },
  );
  const getUserMedia = () => {
    const track = new Track();
    tracks.push(track);
    return Promise.resolve({ getTracks: () => [track], getAudioTracks: () => [track] });
  };
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
});
afterEach(() => vi.unstubAllGlobals());

const broken = () => Promise.reject(new DOMException("Unable to load a worklet's module", "AbortError"));
const live = () => tracks.filter((track) => track.live).length;

async function microphone() {
  const { Microphone } = await import("@/audio/microphone");
  const told: string[] = [];
  return { told, device: new Microphone({ captured: () => undefined, trouble: (what) => told.push(what), works: () => told.push("works") }) };
}

async function loudspeaker() {
  const { Loudspeaker } = await import("@/audio/loudspeaker");
  return new Loudspeaker({ heard: () => undefined, tick: () => undefined });
}

it("sound that could not be loaded is loaded by whoever asks next, and only what is missing", async () => {
  fetches = (url) => (url === "playback.js" ? broken() : Promise.resolve());
  const device = await loudspeaker();
  await expect(device.open()).rejects.toThrow();
  await device.open();
  expect(fetched).toEqual(["capture.js", "playback.js", "playback.js?attempt=1"]);
  await device.open();
  expect([fetched.length, nodes]).toEqual([3, 1]);
});

it("a microphone without the page's sound is told of and let go of, and opens later", async () => {
  fetches = broken;
  const { device, told } = await microphone();
  await device.open();
  expect([told, live()]).toEqual([["unloaded"], 0]);
  fetches = () => Promise.resolve();
  await device.open();
  expect([told, live()]).toEqual([["unloaded", "works"], 1]);
  device.close();
  expect(live()).toBe(0);
});

it("a microphone that is closed while sound loads is let go of at once, and says nothing", async () => {
  fetches = () => new Promise(() => undefined);
  const { device, told } = await microphone();
  void device.open();
  await vi.waitFor(() => expect(fetched).toHaveLength(2));
  expect(live()).toBe(1);
  device.close();
  expect([told, live()]).toEqual([[], 0]);
});

it("a loudspeaker that is closed while sound loads stays closed", async () => {
  let loaded = (): void => undefined;
  const loading = new Promise<void>((resolve) => (loaded = resolve));
  fetches = () => loading;
  const device = await loudspeaker();
  const opening = device.open();
  device.close();
  loaded();
  await opening;
  expect(nodes).toBe(0);
});
