/** A room with stand-ins for its server, its microphone and its loudspeaker. */
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { InterviewSchema, InterviewState, Phase } from "@viva/interview/v1/interview_pb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LoudspeakerListener } from "@/audio/loudspeaker";
import type { MicrophoneListener } from "@/audio/microphone";
import { Conversation } from "@/session/conversation";
import type { Wire } from "@/wire/clients";
import { Connection, joined, refusal, reset, takenOver, told } from "./connection";
import { event, type Happening } from "./events";

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
    open(): Promise<void> {
      return Promise.resolve();
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
    conversation: {
      converse(messages: Parameters<Connection["pull"]>[0], { signal }: { signal: AbortSignal }) {
        const connection = new Connection(signal);
        sockets.push(connection);
        void connection.pull(messages);
        return connection.answers();
      },
    },
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
const span = (connection: Connection) => {
  const lines = told(connection.said);
  return [lines[0]?.split("-")[0], lines.at(-1)?.split("-")[1]].map(Number);
};

describe("where the candidate's audio begins", () => {
  it("a new interview's at its start", async () => {
    const { conversation, socket, speak } = await room(InterviewState.READY);
    socket().tell(joined());
    await speak(2);
    expect(span(socket())).toEqual([0, 2]);
    await conversation.close();
  });

  it("a second window's behind the first one's, whether or not it could read the interview", async () => {
    for (const read of [undefined, () => Promise.reject(reset())]) {
      const { conversation, socket, speak } = await room(InterviewState.LIVE, read ? { read } : {});
      await speak(0.2);
      socket().tell(joined({ kept: 300, received: 310 }), event(900, live));
      await speak(2);
      expect(span(socket())).toEqual([310, 312.2]);
      await conversation.close();
    }
  });

  it("that of one that slept behind what was said in the other meanwhile", async () => {
    const { conversation, socket, speak } = await room(InterviewState.READY);
    socket().tell(joined(), event(1, live));
    await speak(10);
    socket().end(takenOver());
    await vi.advanceTimersByTimeAsync(300_000);
    conversation.act({ kind: "use-here" });
    await settle();
    socket().tell(joined({ kept: 310, seq: 1 }));
    await speak(2);
    expect(span(socket())).toEqual([310, 312]);
    await conversation.close();
  });

  it("that of a page that was loaded anew behind its own", async () => {
    const first = await room(InterviewState.READY);
    first.socket().tell(joined(), event(1, live));
    await first.speak(10);
    await first.conversation.close();
    const { conversation, socket, speak } = await room(InterviewState.LIVE);
    expect(socket().join.resumeToken).toBe("token-1");
    socket().tell(joined({ kept: 8, received: 9.5, seq: 1 }));
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

