/** A room with stand-ins for its server, its microphone and its loudspeaker. */
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { PlaybackControl_Action as Action } from "@viva/interview/v1/conversation_pb";
import { InterviewSchema, InterviewState, Phase } from "@viva/interview/v1/interview_pb";
import { Speaker } from "@viva/interview/v1/turn_pb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LoudspeakerListener } from "@/audio/loudspeaker";
import type { MicrophoneListener } from "@/audio/microphone";
import { heardParts } from "@/session/captions";
import { Conversation } from "@/session/conversation";
import type { Wire } from "@/wire/clients";
import { Connection, converses, joined, refusal, reset, takenOver, told } from "./connection";
import { audio, control, event, log, started, text, type Happening } from "./events";

const { FakeMicrophone, FakeLoudspeaker } = vi.hoisted(() => ({
  FakeMicrophone: class {
    static last: InstanceType<typeof this>;
    isOpen = false;
    constructor(readonly listener: MicrophoneListener) {
      FakeMicrophone.last = this;
    }
    open(): Promise<void> {
      this.isOpen = true;
      this.listener.works();
      return Promise.resolve();
    }
    close(): void {
      this.isOpen = false;
    }
  },
  FakeLoudspeaker: class {
    static last: InstanceType<typeof this>;
    /** Seconds of sound, or what was done with it. */
    readonly played: string[] = [];
    constructor(readonly listener: LoudspeakerListener) {
      FakeLoudspeaker.last = this;
    }
    /** How its sound is loaded. */
    static loads: () => Promise<void> = () => Promise.resolve();
    open(): Promise<void> {
      return FakeLoudspeaker.loads();
    }
    close(): void {}
    play(id: string, rateHz: number, samples: Uint8Array): void {
      this.played.push(`${id} ${samples.length / 2 / rateHz}`);
    }
    control(id: string, action: string): void {
      this.played.push(`${id} ${action}`);
    }
  },
}));
vi.mock("@/audio/microphone", () => ({ Microphone: FakeMicrophone }));
vi.mock("@/audio/loudspeaker", () => ({ Loudspeaker: FakeLoudspeaker }));

beforeEach(() => {
  vi.useFakeTimers();
  const stored = new Map<string, string>();
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("removeEventListener", () => undefined);
  vi.stubGlobal("navigator", { onLine: true });
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
});
afterEach(() => {
  FakeLoudspeaker.loads = () => Promise.resolve();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

type Read = () => Promise<{ interview: ReturnType<typeof interview> }>;
const interview = (state: InterviewState) => create(InterviewSchema, { state });
const settle = () => vi.advanceTimersByTimeAsync(0);

/** A room that nobody has joined yet. */
function built(state: InterviewState, read?: Read) {
  const sockets: Connection[] = [];
  const wire = {
    conversation: { converse: converses(sockets) },
    interviews: {
      getInterview: read ?? (() => Promise.resolve({ interview: interview(state) })),
      listTurns: () => Promise.resolve({ turns: [], nextPageToken: "" }),
    },
    credentials: { renew: () => Promise.resolve("next"), token: () => Promise.resolve("token") },
  };
  const conversation = new Conversation(wire as unknown as Wire, "i", { announce: () => undefined, leave: () => undefined });
  const microphone = FakeMicrophone.last;
  const loudspeaker = FakeLoudspeaker.last;
  const socket = () => {
    const last = sockets.at(-1);
    if (!last) throw new Error("there is a connection");
    return last;
  };
  /** 40 ms at a time, as the worklet gives them. */
  async function speak(seconds: number) {
    for (let piece = 0; piece < seconds * 25; piece += 1) {
      microphone.listener.captured({ audio: new Uint8Array(1280).fill(1), db: -20, zeros: false });
      await vi.advanceTimersByTimeAsync(40);
    }
  }
  async function pass(ms: number) {
    for (let at = 0; at < ms; at += 100) {
      await vi.advanceTimersByTimeAsync(100);
      loudspeaker.listener.tick(-90);
    }
  }
  return { conversation, microphone, loudspeaker, sockets, socket, speak, pass };
}

async function room(state: InterviewState, { read, spoken = true }: { read?: Read; spoken?: boolean } = {}) {
  const parts = built(state, read);
  await parts.conversation.start(spoken);
  await settle();
  return parts;
}

const live: Happening = { case: "stateChanged", value: { state: InterviewState.LIVE, phase: Phase.QUESTION, round: 1 } };
const ended = (id: string): Happening => ({
  case: "utteranceEnded",
  value: { utteranceId: id, interrupted: false, turn: { id, text: "What was it?", speaker: Speaker.INTERVIEWER } },
});
const utterance = (id: string): Happening[] => [started(id), text(id, "What was it?"), audio(id, 0, "What", "was"), audio(id, 1000, "it")];
const span = (connection: Connection) => {
  const lines = told(connection.said);
  return [lines[0]?.split("-")[0], lines.at(-1)?.split("-")[1]].map(Number);
};

describe("where the candidate's audio begins", () => {
  it("a new interview's at its start", async () => {
    const { conversation, socket, speak } = await room(InterviewState.READY);
    socket().tell(joined());
    await settle();
    await speak(2);
    expect(span(socket())).toEqual([0, 2]);
    await conversation.close();
  });

  it("a second window's behind the first one's, whether or not it could read the interview", async () => {
    for (const read of [undefined, () => Promise.reject(reset())]) {
      const { conversation, socket, speak } = await room(InterviewState.LIVE, read ? { read } : {});
      await speak(0.2);
      socket().tell(joined({ kept: 300, received: 310 }), event(900, live));
      await settle();
      await speak(2);
      expect(span(socket())).toEqual([310, 312]);
      await conversation.close();
    }
  });

  it("that of one that slept behind what was said in the other meanwhile", async () => {
    const { conversation, socket, speak } = await room(InterviewState.READY);
    socket().tell(joined(), event(1, live));
    await settle();
    await speak(10);
    socket().end(takenOver());
    await vi.advanceTimersByTimeAsync(300_000);
    conversation.act({ kind: "use-here" });
    await settle();
    socket().tell(joined({ kept: 310, seq: 1 }));
    await settle();
    await speak(2);
    expect(span(socket())).toEqual([310, 312]);
    await conversation.close();
  });

  it("that of a page that was loaded anew behind its own", async () => {
    const first = await room(InterviewState.READY);
    first.socket().tell(joined(), event(1, live));
    await settle();
    await first.speak(10);
    await first.conversation.close();
    const { conversation, socket, speak } = await room(InterviewState.LIVE);
    expect(socket().join.resumeToken).toBe("token-1");
    socket().tell(joined({ kept: 8, received: 9.5, seq: 1 }));
    await settle();
    await speak(2);
    expect(span(socket())).toEqual([9.5, 11.5]);
    await conversation.close();
  });
});

it("what is typed before the connection is made is said with it", async () => {
  const { conversation, socket } = built(InterviewState.LIVE);
  const starting = conversation.start(false);
  conversation.act({ kind: "type", text: "First the traces." });
  await starting;
  socket().tell(joined({ at: 60_000 }));
  await settle();
  expect(told(socket().said)).toEqual(["typed 1"]);
  await conversation.close();
});

describe("a page that has the interview no more", () => {
  const endings = { "is open elsewhere": takenOver, "was refused": () => refusal(Code.NotFound, "NOT_FOUND") };

  for (const [name, ending] of Object.entries(endings)) {
    it(`${name}: closes the microphone, and nothing said meanwhile is sent`, async () => {
      const { conversation, microphone, socket, sockets, speak } = await room(InterviewState.READY);
      socket().tell(joined(), event(1, live));
      await settle();
      await speak(10);
      socket().end(ending());
      await settle();
      expect(microphone.isOpen).toBe(false);
      expect(conversation.state.value.microphone).toBe("off");
      // A piece may still be on its way from the worklet.
      await speak(100);
      conversation.act({ kind: "type", text: "Nobody reads this." });
      conversation.act({ kind: "use-here" });
      await settle();
      expect(sockets).toHaveLength(2);
      expect(sockets[1]?.join.client).not.toBe(sockets[0]?.join.client);
      expect(microphone.isOpen).toBe(true);
      socket().tell(joined({ kept: 10, seq: 1 }));
      await settle();
      expect(socket().said).toEqual([]);
      await speak(1);
      expect(span(socket())).toEqual([10, 11]);
      await conversation.close();
    });
  }

  it("who types is not asked for a microphone by coming back", async () => {
    const { conversation, microphone, socket } = await room(InterviewState.READY, { spoken: false });
    socket().tell(joined());
    await settle();
    socket().end(takenOver());
    await settle();
    conversation.act({ kind: "use-here" });
    expect(microphone.isOpen).toBe(false);
    await conversation.close();
  });
});

describe("what was said before this page was there", () => {
  /** As `log` times them, event n happened at n * 100 ms. */
  const past = [live, ...utterance("greeting"), ended("greeting"), ...utterance("q")];
  const at = past.length * 100;

  it("is not played where it has ended; what is being said is, once all that was missed has come", async () => {
    const { conversation, socket, loudspeaker, pass } = await room(InterviewState.LIVE);
    socket().tell(joined({ received: 9, at }), ...log(...past));
    await settle();
    expect(loudspeaker.played).toEqual([]);
    await pass(1_000);
    expect(loudspeaker.played).toEqual(["q 1", "q 1"]);
    const [greeting] = conversation.state.value.captions;
    expect(greeting?.speaker === "interviewer" && heardParts(greeting)).toEqual({ heard: "What was it?", coming: "" });
    await conversation.close();
  });

  it("does not hold back what is said from here on", async () => {
    const { conversation, socket, loudspeaker } = await room(InterviewState.LIVE);
    socket().tell(joined({ received: 9, at }), ...log(...past, audio("q", 2000, "now"), ended("q"), ...utterance("next")));
    await settle();
    expect(loudspeaker.played).toEqual(["q 1", "q 1", "q 1", "q end", "next 1", "next 1"]);
    await conversation.close();
  });

  it.each([
    { what: "thrown away where it was stopped", action: Action.STOP, played: ["q flush"] },
    { what: "there to go on where it was paused", action: Action.PAUSE, played: ["q pause", "q 1", "q 1", "q pause"] },
  ])("is $what", async ({ action, played }) => {
    const { conversation, socket, loudspeaker, pass } = await room(InterviewState.LIVE);
    socket().tell(joined({ received: 9, at: at + 100 }), ...log(...past, control("q", action)));
    await pass(1_000);
    expect(loudspeaker.played).toEqual(played);
    await conversation.close();
  });

  it("is not played again where the token was too old", async () => {
    const { conversation, socket, loudspeaker, pass } = await room(InterviewState.READY);
    socket().tell(joined(), ...log(...past));
    await settle();
    const before = ["greeting 1", "greeting 1", "greeting end", "q 1", "q 1"];
    expect(loudspeaker.played).toEqual(before);
    socket().end(refusal(Code.FailedPrecondition, "RESUME_TOKEN_STALE"));
    await pass(1_000);
    expect(socket().join.resumeToken).toBeUndefined();
    socket().tell(joined({ at: at + 100 }), ...log(...past, audio("q", 2000, "now")));
    await pass(1_000);
    const sounds = (lines: string[]) => lines.filter((line) => !line.endsWith("end"));
    expect(sounds(loudspeaker.played)).toEqual([...sounds(before), "q 1"]);
    await conversation.close();
  });

  it("is played where only the connection was away", async () => {
    const { conversation, socket, loudspeaker, pass } = await room(InterviewState.READY);
    socket().tell(joined(), event(1, live));
    await settle();
    socket().end(reset());
    await pass(500);
    socket().tell(joined({ at, seq: 1 }), ...log(...past).slice(1));
    await settle();
    expect(loudspeaker.played).toEqual(["greeting 1", "greeting 1", "greeting end", "q 1", "q 1"]);
    await conversation.close();
  });
});

it("whoever typed so far speaks from here on: joined again, with a microphone", async () => {
  const { conversation, microphone, sockets, socket } = await room(InterviewState.READY, { spoken: false });
  socket().tell(joined());
  await settle();
  expect(microphone.isOpen).toBe(false);
  conversation.speak();
  await settle();
  expect(microphone.isOpen).toBe(true);
  expect(sockets).toHaveLength(2);
  expect(sockets.map(({ join }) => join.input?.sampleRateHz)).toEqual([undefined, 16000]);
});

it("an answer that was typed, and is not kept yet, is said again by whoever speaks from here on", async () => {
  const { conversation, sockets, socket } = await room(InterviewState.READY, { spoken: false });
  socket().tell(joined(), event(1, live));
  await settle();
  // From here on the network brings nothing.
  conversation.act({ kind: "type", text: "My whole answer." });
  await settle();
  conversation.speak();
  await settle();
  socket().tell(joined({ seq: 1 }));
  await settle();
  expect(sockets.map(({ said }) => told(said))).toEqual([["typed 1"], ["typed 1"]]);
  // The server knows by the name that it is the same, and takes it once.
  expect(sockets[1]?.join.client).toBe(sockets[0]?.join.client);
  await conversation.close();
});

describe("the sound", () => {
  it("a room that is left while it is still being loaded is not joined, and nobody is recorded", async () => {
    let loaded = (): void => undefined;
    FakeLoudspeaker.loads = () => new Promise((resolve) => (loaded = resolve));
    const { conversation, microphone, sockets } = built(InterviewState.READY);
    const starting = conversation.start(true);
    await settle();
    await conversation.close();
    loaded();
    await starting;
    expect(sockets).toHaveLength(0);
    expect(microphone.isOpen).toBe(false);
  });

  it("that cannot be loaded is told, and joins when it is tried again", async () => {
    FakeLoudspeaker.loads = () => Promise.reject(new DOMException("no worklet", "AbortError"));
    const { conversation, microphone, sockets } = await room(InterviewState.READY);
    expect(conversation.state.value.link).toMatchObject({ kind: "refused", failure: { kind: "noSound", action: "retry" } });
    expect([sockets.length, microphone.isOpen]).toEqual([0, false]);

    conversation.act({ kind: "try-again" });
    await settle();
    expect(conversation.state.value.link.kind).toBe("refused");

    FakeLoudspeaker.loads = () => Promise.resolve();
    conversation.act({ kind: "try-again" });
    await settle();
    expect([conversation.state.value.link.kind, sockets.length, microphone.isOpen]).toEqual(["joining", 1, true]);
  });

  it("that cannot be loaded where an interview is gone on with leaves the way to try again", async () => {
    FakeLoudspeaker.loads = () => Promise.reject(new DOMException("no worklet", "AbortError"));
    const { conversation, sockets } = await room(InterviewState.PAUSED);
    conversation.act({ kind: "resume" });
    await settle();
    expect(conversation.state.value).toMatchObject({ leaving: false, link: { kind: "refused" } });
    expect(sockets).toHaveLength(0);
  });
});
