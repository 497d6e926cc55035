import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Outbox } from "@/session/outbox";

/** 20 ms of samples that say which they are. */
const frame = (number: number) => new Uint8Array(640).fill(number);

function sendAll(outbox: Outbox) {
  const pieces = [];
  for (let piece = outbox.next(); piece; piece = outbox.next()) pieces.push(piece);
  return pieces;
}

describe("the outbox", () => {
  it("sends every 40 ms, with the place on the timeline", () => {
    const outbox = new Outbox(1000);
    outbox.add(frame(1));
    expect(outbox.next()).toBeUndefined();
    outbox.add(frame(2));
    const piece = outbox.next();
    expect(piece?.offsetMs).toBe(1000);
    expect(piece?.audio.length).toBe(1280);
  });

  it("joins what has gathered behind a full socket", () => {
    const outbox = new Outbox();
    for (let i = 0; i < 10; i += 1) outbox.add(frame(i));
    expect(outbox.next()?.audio.length).toBe(6400);
  });

  it("sends again what was not acknowledged, and nothing else", () => {
    const outbox = new Outbox();
    for (let i = 0; i < 10; i += 1) {
      outbox.add(frame(i));
      sendAll(outbox);
    }
    outbox.acknowledged(120);
    outbox.cut();
    outbox.rewind();
    const [piece] = sendAll(outbox);
    expect(piece?.offsetMs).toBe(120);
    expect(piece?.audio[0]).toBe(6);
  });

  it("keeps the last 5 s of what was recorded without a connection", () => {
    const outbox = new Outbox();
    outbox.add(frame(1));
    outbox.add(frame(2));
    sendAll(outbox);
    outbox.cut();
    for (let i = 0; i < 500; i += 1) outbox.add(frame(i % 250));
    outbox.rewind();
    const pieces = sendAll(outbox);
    expect(pieces[0]?.offsetMs).toBe(0);
    expect(pieces[1]?.offsetMs).toBe(40 + 10_000 - 5_000);
    expect(pieces.slice(1).reduce((sum, piece) => sum + piece.audio.length, 0)).toBe(5_000 * 32);
  });

  it("neither loses nor repeats a sample through cuts and acknowledgements", () => {
    const act = fc.constantFrom("add", "send", "cut", "acknowledge");
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
        const outbox = new Outbox();
        // What a server has: where its audio ends.
        let received = 0;
        let added = 0;
        const take = () => {
          for (const piece of sendAll(outbox)) {
            expect(piece.offsetMs).toBeLessThanOrEqual(received);
            received = Math.max(received, piece.offsetMs + piece.audio.length / 32);
          }
        };
        for (const what of acts) {
          if (what === "add") {
            outbox.add(frame(1));
            added += 20;
          } else if (what === "send") take();
          else if (what === "cut") outbox.rewind();
          else outbox.acknowledged(received);
        }
        take();
        expect(added - received).toBeLessThan(40);
      }),
    );
  });
});
