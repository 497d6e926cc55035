import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { ConverseRequestSchema, ConverseResponseSchema, InterviewService } from "@viva/interview/v1/interview_service_pb";
import { describe, expect, it } from "vitest";
import { bridgeTransport } from "@/wire/bridge-transport";

type Bytes = Uint8Array<ArrayBuffer>;

/** A socket whose other end is the test. */
class Socket extends EventTarget {
  static readonly OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  binaryType = "blob";
  readonly sent: Bytes[] = [];

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    super();
  }

  send(bytes: Bytes): void {
    this.sent.push(bytes);
  }

  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { reason: "" }));
  }

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  tell(flags: number, content: Uint8Array): void {
    const bytes = new Uint8Array(5 + content.length);
    bytes[0] = flags;
    new DataView(bytes.buffer).setUint32(1, content.length);
    bytes.set(content, 5);
    this.dispatchEvent(Object.assign(new Event("message"), { data: bytes.buffer }));
  }

  trailers(text: string): void {
    this.tell(0x80, new TextEncoder().encode(text));
  }
}
(globalThis as { WebSocket?: unknown }).WebSocket = Socket;

const settle = () => new Promise((resolve) => setTimeout(resolve));

function setUp(messages: () => AsyncIterable<object> = endless) {
  let socket: Socket | undefined;
  let renew: (token: string) => void = () => undefined;
  const abort = new AbortController();
  const client = createClient(
    InterviewService,
    bridgeTransport({
      baseUrl: "https://viva.test",
      open: (url, protocol) => (socket = new Socket(url, protocol)) as unknown as WebSocket,
      renewals: (renewed) => {
        renew = renewed;
        return () => (renew = () => undefined);
      },
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", "Bearer t");
          return next(request);
        },
      ],
    }),
  );
  const seqs: bigint[] = [];
  const done = (async () => {
    for await (const { event } of client.converse(messages() as never, { signal: abort.signal })) seqs.push(event?.seq ?? 0n);
  })().then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );
  const connected = async () => {
    while (!socket) await settle();
    return socket;
  };
  return { connected, abort, seqs, done, renew: (token: string) => renew(token) };
}

async function* endless() {
  yield { message: { case: "join", value: { interviewId: "i" } } };
  await new Promise(() => undefined);
}

async function* one() {
  yield { message: { case: "join", value: { interviewId: "i" } } };
}

const answer = (seq: number) => toBinary(ConverseResponseSchema, create(ConverseResponseSchema, { event: { seq: BigInt(seq) } }));
const text = (bytes: Bytes | undefined) => new TextDecoder().decode(bytes);

describe("a call over the bridge", () => {
  it("sends headers, messages and the half-close as the framing says", async () => {
    const { connected, done } = setUp(one);
    const socket = await connected();
    expect([socket.url, socket.protocol]).toEqual(["wss://viva.test/viva.interview.v1.InterviewService/Converse", "grpc-websockets"]);
    socket.open();
    await settle();
    expect(text(socket.sent[0])).toContain("authorization: Bearer t\r\n");
    expect(text(socket.sent[0])).toContain("content-type: application/grpc-web+proto\r\n");
    const message = socket.sent[1] as Bytes;
    expect([...message.subarray(0, 2)]).toEqual([0, 0]);
    expect(fromBinary(ConverseRequestSchema, message.subarray(6)).message).toMatchObject({ case: "join", value: { interviewId: "i" } });
    expect([...(socket.sent[2] as Bytes)]).toEqual([1]);
    socket.trailers("grpc-status: 0\r\n");
    expect(await done).toBeUndefined();
  });

  it("reads headers, messages and trailers", async () => {
    const { connected, seqs, done } = setUp();
    const socket = await connected();
    socket.open();
    await settle();
    socket.trailers("content-type: application/grpc-web+proto\r\n");
    socket.tell(0, answer(1));
    socket.tell(0, answer(2));
    socket.trailers("grpc-status: 10\r\ngrpc-message: taken%20over\r\n");
    const error = await done;
    expect(seqs).toEqual([1n, 2n]);
    expect([error?.code, error?.rawMessage]).toEqual([Code.Aborted, "taken over"]);
  });

  it("a socket that is lost is UNAVAILABLE", async () => {
    const { connected, done } = setUp();
    const socket = await connected();
    socket.open();
    await settle();
    socket.close();
    expect((await done)?.code).toBe(Code.Unavailable);
  });

  it("a socket that does not open is UNAVAILABLE", async () => {
    const { connected, done } = setUp();
    (await connected()).close();
    expect((await done)?.code).toBe(Code.Unavailable);
  });

  it("cancelling closes the socket", async () => {
    const { connected, abort, done } = setUp();
    const socket = await connected();
    socket.open();
    await settle();
    abort.abort();
    await done;
    expect(socket.readyState).toBe(3);
  });

  it("stops taking messages above 64 KB that are not sent yet", async () => {
    let taken = 0;
    const { connected, abort, done } = setUp(async function* () {
      for (;;) {
        taken += 1;
        yield { message: { case: "candidate", value: { message: { case: "finishTurn", value: {} } } } };
      }
    });
    const socket = await connected();
    socket.bufferedAmount = 64 * 1024 + 1;
    socket.open();
    await settle();
    const full = taken;
    await settle();
    expect(taken).toBe(full);
    expect(full).toBeLessThanOrEqual(2);
    abort.abort();
    await done;
  });

  it("hands a new token on", async () => {
    const { connected, renew, abort, done } = setUp();
    const socket = await connected();
    socket.open();
    await settle();
    renew("next");
    expect(text(socket.sent.at(-1))).toBe("\u0002authorization: Bearer next\r\n");
    abort.abort();
    await done;
  });
});
