import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { duration, milliseconds } from "@/session/durations";
import { Outbox } from "@/session/outbox";
import type { Message } from "@/session/state";
import { told } from "./connection";

/** 20 ms of samples that say which they are. */
const frame = (number: number) => new Uint8Array(640).fill(number);
const done: Message = { message: { case: "finishTurn", value: {} } };
const typed = (text: string): Message => ({ message: { case: "typed", value: { text } } });

function opened(receivedMs = 0): Outbox {
  const outbox = new Outbox();
  outbox.beginAt(receivedMs);
  return outbox;
}

function fill(outbox: Outbox, frames: number): void {
  for (let i = 0; i < frames; i += 1) outbox.add(frame(i % 250));
}

function sendAll(outbox: Outbox) {
  const messages = [];
  for (let message = outbox.next(); message; message = outbox.next()) messages.push(message);
  return messages as unknown as Parameters<typeof told>[0] extends readonly (infer M)[] ? M[] : never;
}

const lines = (outbox: Outbox) => told(sendAll(outbox));

describe("audio", () => {
  it("is sent every 40 ms, with its place on the timeline", () => {
    const outbox = opened(1000);
    outbox.add(frame(1));
    expect(outbox.next()).toBeUndefined();
    outbox.add(frame(2));
    expect(lines(outbox)).toEqual(["1-1.04"]);
  });

  it("is joined where it has gathered behind a full socket, to 400 ms", () => {
    const outbox = opened();
    fill(outbox, 30);
    expect(lines(outbox)).toEqual(["0-0.4", "0.4-0.6"]);
  });

  it("that is recorded before the first join was answered is said to nobody", () => {
    const outbox = new Outbox();
    fill(outbox, 10);
    outbox.rewind();
    outbox.beginAt(310_000);
    fill(outbox, 10);
    expect(lines(outbox)).toEqual(["310-310.2"]);
  });

  it("that was sent lies where it lay, new audio behind what anybody said", () => {
    const outbox = opened();
    fill(outbox, 10);
    sendAll(outbox);
    fill(outbox, 10);
    outbox.cut();
    outbox.rewind();
    outbox.beginAt(5_000);
    expect(lines(outbox)).toEqual(["0-0.2", "5-5.2"]);
  });

  it("comes again where it was not kept, and nothing else", () => {
    const outbox = opened();
    for (let i = 0; i < 10; i += 1) {
      outbox.add(frame(i));
      sendAll(outbox);
    }
    outbox.forget(120, 0n);
    outbox.cut();
    outbox.rewind();
    outbox.beginAt(200);
    expect(lines(outbox)).toEqual(["0.12-0.2"]);
  });

  it("recorded without a connection is kept for 5 s; what was given up lies between", () => {
    const outbox = opened();
    fill(outbox, 2);
    sendAll(outbox);
    outbox.cut();
    fill(outbox, 500);
    outbox.rewind();
    outbox.beginAt(40);
    const pieces = lines(outbox);
    expect([pieces[0], pieces[1]]).toEqual(["0-0.04", "5.04-5.44"]);
    expect(pieces.at(-1)).toBe("9.84-10.04");
  });

  it("is given up above two minutes", () => {
    const outbox = opened();
    for (let i = 0; i < 125 * 50; i += 1) {
      outbox.add(frame(1));
      sendAll(outbox);
    }
    outbox.rewind();
    expect(lines(outbox)[0]).toBe("5-5.4");
  });

  it("is neither lost nor repeated through cuts and acknowledgements", () => {
    const act = fc.constantFrom("add", "send", "cut", "acknowledge");
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
        const outbox = opened();
        // What a server has: where its audio ends.
        let received = 0;
        let added = 0;
        const take = () => {
          for (const { message } of sendAll(outbox)) {
            if (message.case !== "audio") continue;
            const from = milliseconds(message.value.chunk?.offset);
            expect(from).toBeLessThanOrEqual(received);
            received = Math.max(received, from + (message.value.chunk?.audio.length ?? 0) / 32);
          }
        };
        for (const what of acts) {
          if (what === "add") {
            outbox.add(frame(1));
            added += 20;
          } else if (what === "send") take();
          else if (what === "cut") {
            outbox.rewind();
            outbox.beginAt(received);
          } else outbox.forget(received, 0n);
        }
        take();
        expect(added - received).toBeLessThan(40);
      }),
    );
  });
});

describe("messages", () => {
  it("are numbered from 1, and stay behind the words before them", () => {
    const outbox = opened();
    outbox.say(typed("a"));
    fill(outbox, 3);
    outbox.say(done);
    fill(outbox, 2);
    expect(lines(outbox)).toEqual(["typed 1", "0-0.06", "finishTurn 2", "0.06-0.1"]);
  });

  it("come again in order until they are kept", () => {
    const outbox = opened();
    outbox.say(typed("a"));
    fill(outbox, 2);
    outbox.say(done);
    sendAll(outbox);
    outbox.forget(0, 1n);
    outbox.rewind();
    outbox.beginAt(0);
    outbox.say(typed("b"));
    expect(lines(outbox)).toEqual(["0-0.04", "finishTurn 2", "typed 3"]);
    outbox.forget(40, 3n);
    outbox.rewind();
    expect(lines(outbox)).toEqual([]);
  });
});

it("durations keep their samples", () => {
  expect(milliseconds(duration(310_000.0625))).toBe(310_000.0625);
});
