import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@rpc/error_details_pb";
import { ConverseResponseSchema } from "@viva/interview/v1/interview_service_pb";
import type { InterviewEvent } from "@viva/interview/v1/conversation_pb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Link, type LinkOptions } from "@/session/link";
import { Outbox } from "@/session/outbox";
import type { LinkFact } from "@/session/state";
import { log } from "./events";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Sent {
  message?: { case?: string; value?: unknown };
}

/** A connection as a test sees it. */
class Connection {
  readonly sent: Sent[] = [];
  private readonly waiting: InterviewEvent[] = [];
  private outcome: { error?: unknown } | undefined;
  private wake: () => void = () => undefined;

  constructor(readonly signal: AbortSignal) {
    signal.addEventListener("abort", () => this.end(signal.reason));
  }

  tell(...events: InterviewEvent[]): void {
    this.waiting.push(...events);
    this.wake();
  }

  end(error?: unknown): void {
    this.outcome ??= { error };
    this.wake();
  }

  async *answers() {
    for (;;) {
      const event = this.waiting.shift();
      if (event) yield create(ConverseResponseSchema, { event });
      else if (this.outcome) {
        if (this.outcome.error) throw this.outcome.error;
        return;
      } else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  async pull(messages: AsyncIterable<Sent>): Promise<void> {
    for await (const message of messages) {
      if (this.signal.aborted) return;
      this.sent.push(message);
    }
  }
}

let online = true;

function setUp(speak: (call: bigint) => Promise<void> = () => Promise.resolve()) {
  online = true;
  const sockets: Connection[] = [];
  const listens: Connection[] = [];
  const spoken: { call: bigint; messages: Sent[] }[] = [];
  const facts: LinkFact[] = [];
  const got: bigint[] = [];
  let token: string | undefined;
  const outbox = new Outbox();
  const wire = {
    conversation: {
      converse(messages: AsyncIterable<Sent>, { signal }: { signal: AbortSignal }) {
        const connection = new Connection(signal);
        sockets.push(connection);
        void connection.pull(messages);
        return connection.answers();
      },
    },
    interviews: {
      listen(_: unknown, { signal }: { signal: AbortSignal }) {
        const connection = new Connection(signal);
        listens.push(connection);
        return connection.answers();
      },
      async speak({ call, messages }: { call: bigint; messages: Sent[] }) {
        spoken.push({ call, messages });
        await speak(call);
        return {};
      },
    },
    credentials: { renew: () => Promise.resolve("next"), token: () => Promise.resolve("token") },
  };
  const link = new Link({
    wire: wire as unknown as LinkOptions["wire"],
    interviewId: "i",
    outbox,
    join: () => ({ interviewId: "i", ...(token ? { resumeToken: token } : {}) }),
    event: (event) => {
      got.push(event.seq);
      token = event.resumeToken;
    },
    fact: (fact) => facts.push(fact),
    forgetToken: () => (token = undefined),
    over: () => false,
    online: () => online,
    random: () => 1,
  });
  const done = link.run();
  return { link, sockets, listens, spoken, facts, got, outbox, done };
}

const settle = () => vi.advanceTimersByTimeAsync(0);
const lost = () => new ConnectError("x", Code.Unavailable);
const events = () => log({ case: "speechStarted", value: {} }, { case: "speechStarted", value: {} });
const joinOf = (connection: Connection | undefined) => connection?.sent[0]?.message?.value as { resumeToken?: string };

describe("over the socket", () => {
  it("joins first, then says what there is to say", async () => {
    const { link, sockets, outbox } = setUp();
    link.send({ message: { case: "finishTurn", value: {} } });
    outbox.add(new Uint8Array(1280));
    link.recorded();
    await settle();
    expect(sockets[0]?.sent.map((sent) => sent.message?.case)).toEqual(["join", "candidate", "candidate"]);
    link.close();
  });

  it("joins again with the last token, 0.25 s later, and sends again what was not acknowledged", async () => {
    const { link, sockets, facts, outbox } = setUp();
    outbox.add(new Uint8Array(1280));
    await settle();
    sockets[0]?.tell(...events());
    await settle();
    sockets[0]?.end(lost());
    await settle();
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 1 });
    await vi.advanceTimersByTimeAsync(249);
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(joinOf(sockets[1]).resumeToken).toBe("token-2");
    expect(sockets[1]?.sent[1]?.message?.case).toBe("candidate");
    link.close();
  });

  it("waits longer each time, and never more than 5 s", async () => {
    const { link, sockets } = setUp();
    await settle();
    sockets[0]?.tell(...events());
    await settle();
    const waits: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      const count = sockets.length;
      // Each gets through, so that calls are not tried, and ends at once.
      sockets.at(-1)?.end(new ConnectError("x", Code.Aborted));
      let waited = 0;
      while (sockets.length === count && waited < 10_000) {
        await vi.advanceTimersByTimeAsync(50);
        waited += 50;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
    link.close();
  });

  it("another page that joins is final", async () => {
    const { sockets, facts, done } = setUp();
    await settle();
    sockets[0]?.end(new ConnectError("x", Code.Aborted, undefined, [{ desc: ErrorInfoSchema, value: { reason: "TAKEN_OVER" } }]));
    await done;
    expect(facts.at(-1)).toEqual({ kind: "elsewhere" });
  });

  it("a token whose events are gone is forgotten", async () => {
    const { link, sockets } = setUp();
    await settle();
    sockets[0]?.tell(...events());
    await settle();
    sockets[0]?.end(new ConnectError("x", Code.FailedPrecondition, undefined, [{ desc: ErrorInfoSchema, value: { reason: "RESUME_TOKEN_STALE" } }]));
    await vi.advanceTimersByTimeAsync(250);
    expect(joinOf(sockets[1]).resumeToken).toBeUndefined();
    link.close();
  });

  it("an interview that is not there is refused, once and for all", async () => {
    const { sockets, facts, done } = setUp();
    await settle();
    sockets[0]?.end(new ConnectError("x", Code.NotFound));
    await done;
    expect(facts.at(-1)).toMatchObject({ kind: "refused", failure: { kind: "notFound" } });
  });

  it("an expired token is renewed and tried again, a second time it is refused", async () => {
    const { sockets, facts, done } = setUp();
    await settle();
    sockets[0]?.end(new ConnectError("x", Code.Unauthenticated));
    await vi.advanceTimersByTimeAsync(250);
    expect(sockets).toHaveLength(2);
    sockets[1]?.end(new ConnectError("x", Code.Unauthenticated));
    await vi.advanceTimersByTimeAsync(5000);
    await done;
    expect(facts.at(-1)).toMatchObject({ kind: "refused", failure: { kind: "signedOut" } });
  });

  it("a network that is gone is noticed at once", async () => {
    const { link, sockets, facts } = setUp();
    await settle();
    sockets[0]?.tell(...events());
    await settle();
    link.interrupted();
    await settle();
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 1 });
    link.close();
  });

  it("is slow after 3 s without an answer to what was sent, and lost after 10 s", async () => {
    const { link, sockets, facts, outbox } = setUp();
    await settle();
    sockets[0]?.tell(...events());
    await settle();
    outbox.add(new Uint8Array(1280));
    link.recorded();
    await settle();
    const now = performance.now();
    link.watch(now + 3_100);
    expect(facts.at(-1)).toEqual({ kind: "slow", slow: true });
    link.watch(now + 10_100);
    await settle();
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 1 });
    link.close();
  });
});

describe("where sockets do not get through", () => {
  async function fallen(speak?: (call: bigint) => Promise<void>) {
    const all = setUp(speak);
    // Neither brings a message within 3 s.
    await vi.advanceTimersByTimeAsync(3_000 + 250 + 3_000 + 500);
    expect(all.sockets).toHaveLength(2);
    expect(all.listens).toHaveLength(1);
    all.listens[0]?.tell(...events());
    await settle();
    return all;
  }

  it("Listen and Speak carry the interview after two", async () => {
    const { link, spoken, facts, got } = await fallen();
    expect(facts).toContainEqual({ kind: "open", way: "calls" });
    expect(got).toEqual([1n, 2n]);
    link.send({ message: { case: "typed", value: { text: "x" } } });
    await settle();
    expect(spoken).toMatchObject([{ call: 1n, messages: [{ message: { case: "typed" } }] }]);
    link.close();
  });

  it("one Speak at a time; what waits goes together", async () => {
    let answer: () => void = () => undefined;
    const { link, spoken } = await fallen(() => new Promise((resolve) => (answer = resolve)));
    for (let i = 0; i < 4; i += 1) {
      link.send({ message: { case: "finishTurn", value: {} } });
      await settle();
    }
    expect(spoken).toHaveLength(1);
    answer();
    await settle();
    expect(spoken.map(({ call, messages }) => [call, messages.length])).toEqual([
      [1n, 1],
      [2n, 3],
    ]);
    link.close();
  });

  it("a Speak that failed comes again under its number", async () => {
    let failures = 2;
    const { link, spoken } = await fallen(() => (failures-- > 0 ? Promise.reject(lost()) : Promise.resolve()));
    link.send({ message: { case: "typed", value: { text: "x" } } });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(spoken.map(({ call }) => call)).toEqual([1n, 1n, 1n]);
    link.send({ message: { case: "finishTurn", value: {} } });
    await settle();
    expect(spoken.at(-1)?.call).toBe(2n);
    link.close();
  });

  it("without a network it is not the sockets' fault", async () => {
    const { link, sockets, listens } = setUp();
    online = false;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(sockets.length).toBeGreaterThan(2);
    expect(listens).toHaveLength(0);
    link.close();
  });

  it("a socket is tried again when calls do not get through either", async () => {
    const { link, sockets, listens } = setUp();
    await vi.advanceTimersByTimeAsync(6_750);
    listens[0]?.end(lost());
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sockets.length).toBeGreaterThan(2);
    link.close();
  });
});
