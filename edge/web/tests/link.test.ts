import { Code, ConnectError } from "@connectrpc/connect";
import type { CandidateMessage } from "@viva/interview/v1/conversation_pb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Link, type LinkOptions } from "@/session/link";
import { Outbox } from "@/session/outbox";
import type { LinkFact, Message } from "@/session/state";
import { Connection, converses, joined, refusal, reset, takenOver, told } from "./connection";
import { log } from "./events";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

let online = true;

function setUp(speak: (call: bigint) => Promise<void> = () => Promise.resolve()) {
  online = true;
  const sockets: Connection[] = [];
  const listens: Connection[] = [];
  const spoken: { call: bigint; messages: CandidateMessage[] }[] = [];
  const facts: LinkFact[] = [];
  const got: bigint[] = [];
  let token: string | undefined;
  let over = false;
  const outbox = new Outbox();
  const wire = {
    conversation: { converse: converses(sockets) },
    interviews: {
      listen(_: unknown, { signal }: { signal: AbortSignal }) {
        const connection = new Connection(signal);
        listens.push(connection);
        return connection.answers();
      },
      async speak({ call, messages }: { call: bigint; messages: CandidateMessage[] }, { signal }: { signal: AbortSignal }) {
        spoken.push({ call, messages });
        await Promise.race([speak(call), new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)))]);
        return {};
      },
    },
    credentials: { renew: () => Promise.resolve("next"), token: () => Promise.resolve("token") },
  };
  const options: LinkOptions = {
    wire: wire as unknown as LinkOptions["wire"],
    interviewId: "i",
    outbox,
    join: () => ({ interviewId: "i", ...(token ? { resumeToken: token } : {}) }),
    event: (event) => {
      got.push(event.seq);
      token = event.resumeToken || token;
    },
    fact: (fact) => facts.push(fact),
    forgetToken: () => (token = undefined),
    over: () => over,
    online: () => online,
    random: () => 1,
  };
  const link = new Link(options);
  const done = link.run();
  const report = () => (over = true);
  return { link, options, sockets, listens, spoken, facts, got, outbox, done, report };
}

const settle = () => vi.advanceTimersByTimeAsync(0);
const events = () => log({ case: "speechStarted", value: {} }, { case: "speechStarted", value: {} });
const typed = (text: string): Message => ({ message: { case: "typed", value: { text } } });
const done: Message = { message: { case: "finishTurn", value: {} } };
const piece = () => new Uint8Array(1280);

describe("over the socket", () => {
  it("joins first, and says nothing before the join was answered", async () => {
    const { link, sockets, outbox } = setUp();
    link.send(done);
    link.recorded();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sockets[0]?.sent.map((sent) => sent.message?.case)).toEqual(["join"]);
    sockets[0]?.tell(joined({ received: 310 }));
    await settle();
    outbox.add(piece());
    link.recorded();
    await settle();
    expect(told(sockets[0]?.said ?? [])).toEqual(["finishTurn 1", "310-310.04"]);
    link.close();
  });

  it("is alive by the join's answer alone", async () => {
    const { link, sockets, facts } = setUp();
    await settle();
    sockets[0]?.tell(joined());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets).toHaveLength(1);
    expect(facts).toEqual([expect.objectContaining({ kind: "open", way: "socket" })]);
    link.send(typed("x"));
    await settle();
    expect(told(sockets[0]?.said ?? [])).toEqual(["typed 1"]);
    link.close();
  });

  it("joins again with the last token, 0.25 s later, and says again what was not kept, in order and in its place", async () => {
    const { link, sockets, facts, outbox } = setUp();
    await settle();
    sockets[0]?.tell(joined(), ...events());
    await settle();
    link.send(typed("a"));
    outbox.add(piece());
    outbox.add(piece());
    link.send(done);
    await settle();
    sockets[0]?.tell(joined({ kept: 0.04, message: 1n, seq: 3 }));
    await settle();
    sockets[0]?.end(reset());
    await settle();
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 1 });
    outbox.add(piece());
    link.send(typed("b"));
    await vi.advanceTimersByTimeAsync(249);
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(sockets[1]?.join.resumeToken).toBe("token-2");
    expect(sockets[1]?.join.client).toBe(sockets[0]?.join.client);
    expect(sockets[1]?.said).toEqual([]);
    sockets[1]?.tell(joined({ kept: 0.04, received: 0.08, message: 1n }));
    await settle();
    expect(told(sockets[1]?.said ?? [])).toEqual(["0.04-0.08", "finishTurn 2", "0.08-0.12", "typed 3"]);
    link.close();
  });

  it("letting go of the button after a cut does not overtake the words before it", async () => {
    const { link, sockets, outbox } = setUp();
    await settle();
    sockets[0]?.tell(joined());
    await settle();
    sockets[0]?.end(reset());
    await settle();
    for (let i = 0; i < 50; i += 1) outbox.add(piece());
    link.send(done);
    await vi.advanceTimersByTimeAsync(250);
    sockets[1]?.tell(joined());
    await settle();
    expect(told(sockets[1]?.said ?? [])).toEqual(["0-0.4", "0.4-0.8", "0.8-1.2", "1.2-1.6", "1.6-2", "finishTurn 1"]);
    link.close();
  });

  it("where it was played is told at once, and not after a cut", async () => {
    const { link, sockets, outbox } = setUp();
    const position: Message = { message: { case: "playback", value: { utteranceId: "q" } } };
    await settle();
    sockets[0]?.tell(joined());
    await settle();
    outbox.add(piece());
    link.send(position);
    await settle();
    expect(told(sockets[0]?.said ?? [])).toEqual(["playback", "0-0.04"]);
    sockets[0]?.end(reset());
    await settle();
    link.send(position);
    await vi.advanceTimersByTimeAsync(250);
    sockets[1]?.tell(joined({ kept: 0.04 }));
    await settle();
    expect(sockets[1]?.said).toEqual([]);
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

  it("joins a full server again when it says, and not before the connection would be tried anyway", async () => {
    const { link, sockets, facts } = setUp();
    const waits = async () => {
      const count = sockets.length;
      let waited = 0;
      while (sockets.length === count && waited < 60_000) {
        await vi.advanceTimersByTimeAsync(50);
        waited += 50;
      }
      return waited;
    };
    await settle();
    sockets[0]?.tell(joined());
    await settle();
    sockets[0]?.end(reset());
    expect(await waits()).toBe(250);
    sockets[1]?.end(refusal(Code.ResourceExhausted, "OVERLOADED", 12_000));
    expect(await waits()).toBe(12_000);
    sockets[2]?.end(refusal(Code.Unavailable, "DRAINING", 100));
    expect(await waits()).toBe(1_000);
    // A day is no time to wait before a page.
    sockets[3]?.end(refusal(Code.ResourceExhausted, "OVERLOADED", 86_400_000));
    expect(await waits()).toBe(30_000);
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 4 });
    sockets[4]?.tell(joined());
    await settle();
    expect(facts.at(-1)).toMatchObject({ kind: "open", way: "socket" });
    link.close();
  });

  it("the report ends it, however the connection ends", async () => {
    for (const outcome of [undefined, reset()]) {
      const { sockets, facts, done, report } = setUp();
      await settle();
      sockets[0]?.tell(joined());
      await settle();
      report();
      sockets[0]?.end(outcome);
      await done;
      expect(facts.map(({ kind }) => kind)).toEqual(["open"]);
      expect(sockets).toHaveLength(1);
    }
  });

  it("another page that joins is final", async () => {
    const { sockets, facts, done } = setUp();
    await settle();
    sockets[0]?.end(takenOver());
    await done;
    expect(facts.at(-1)).toEqual({ kind: "elsewhere" });
  });

  it("a token whose events are gone is forgotten", async () => {
    const { link, sockets } = setUp();
    await settle();
    sockets[0]?.tell(...events());
    await settle();
    sockets[0]?.end(refusal(Code.FailedPrecondition, "RESUME_TOKEN_STALE"));
    await vi.advanceTimersByTimeAsync(250);
    expect(sockets[1]?.join.resumeToken).toBeUndefined();
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
    sockets[0]?.tell(joined(), ...events());
    await settle();
    outbox.add(piece());
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

  it("is lost as well where what was typed is not answered, and it is typed again", async () => {
    const { link, sockets, facts } = setUp();
    await settle();
    sockets[0]?.tell(joined());
    await settle();
    link.send(typed("x"));
    await settle();
    link.watch(performance.now() + 10_100);
    await vi.advanceTimersByTimeAsync(250);
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 1 });
    sockets[1]?.tell(joined());
    await settle();
    expect(told(sockets[1]?.said ?? [])).toEqual(["typed 1"]);
    link.close();
  });

  it("is not slow where nothing was said", async () => {
    const { link, sockets, facts } = setUp();
    await settle();
    sockets[0]?.tell(joined());
    await settle();
    link.watch(performance.now() + 60_000);
    expect(facts).toHaveLength(1);
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
    all.listens[0]?.tell(joined(), ...events());
    await settle();
    return all;
  }

  it("Listen and Speak carry the interview after two", async () => {
    const { link, spoken, facts, got } = await fallen();
    expect(facts).toContainEqual(expect.objectContaining({ kind: "open", way: "calls" }));
    expect(got).toEqual([0n, 1n, 2n]);
    link.send(typed("x"));
    await settle();
    expect(spoken).toMatchObject([{ call: 1n, messages: [{ message: { case: "typed" } }] }]);
    link.close();
  });

  it("one Speak at a time; what waits goes together", async () => {
    let answer: () => void = () => undefined;
    const { link, spoken } = await fallen(() => new Promise((resolve) => (answer = resolve)));
    for (let i = 0; i < 4; i += 1) {
      link.send(done);
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
    const { link, spoken } = await fallen(() => (failures-- > 0 ? Promise.reject(reset()) : Promise.resolve()));
    link.send(typed("x"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(spoken.map(({ call }) => call)).toEqual([1n, 1n, 1n]);
    link.send(done);
    await settle();
    expect(spoken.at(-1)?.call).toBe(2n);
    link.close();
  });

  it("another link of the same client goes on with the numbers of its calls", async () => {
    const { link, options, spoken, listens } = await fallen();
    link.send(typed("x"));
    await settle();
    link.close();
    const next = new Link(options);
    void next.run();
    await vi.advanceTimersByTimeAsync(6_750);
    listens[1]?.tell(joined({ message: 1n }));
    next.send(done);
    await settle();
    expect(spoken.map(({ call }) => call)).toEqual([1n, 2n]);
    next.close();
  });

  it("Speak begins with the join's answer, where there is nothing else to tell", async () => {
    const { link, spoken, listens } = setUp();
    await vi.advanceTimersByTimeAsync(6_750);
    link.send(typed("x"));
    await settle();
    expect(spoken).toEqual([]);
    listens[0]?.tell(joined());
    await settle();
    expect(spoken).toMatchObject([{ call: 1n, messages: [{ number: 1n }] }]);
    link.close();
  });

  it("what a Speak did not bring through comes after the next join under a new number of its own", async () => {
    const { link, spoken, listens, sockets } = await fallen(() => new Promise(() => undefined));
    link.send(typed("x"));
    await settle();
    listens[0]?.end(new ConnectError("x", Code.Aborted));
    // No socket is tried in between: the calls get through.
    await vi.advanceTimersByTimeAsync(250);
    expect(sockets).toHaveLength(2);
    listens[1]?.tell(joined());
    await settle();
    expect(spoken.map(({ call, messages }) => [call, told(messages)])).toEqual([
      [1n, ["typed 1"]],
      [2n, ["typed 1"]],
    ]);
    link.close();
  });

  it("a Speak that reaches a server that is not listened to joins again, and says it there", async () => {
    let refused = 1;
    const { link, spoken, listens, facts } = await fallen(() =>
      refused-- > 0 ? Promise.reject(refusal(Code.FailedPrecondition, "NOT_JOINED")) : Promise.resolve(),
    );
    link.send(typed("x"));
    await vi.advanceTimersByTimeAsync(250);
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 1 });
    listens[1]?.tell(joined());
    await settle();
    expect(told(spoken.at(-1)?.messages ?? [])).toEqual(["typed 1"]);
    link.close();
  });

  it("a Listen that is not answered is given up", async () => {
    const { link, listens, facts } = setUp();
    await vi.advanceTimersByTimeAsync(6_750);
    link.watch(performance.now() + 10_100);
    await settle();
    expect(listens[0]?.signal.aborted).toBe(true);
    expect(facts.at(-1)).toEqual({ kind: "lost", attempt: 3 });
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
    listens[0]?.end(reset());
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sockets.length).toBeGreaterThan(2);
    link.close();
  });
});
