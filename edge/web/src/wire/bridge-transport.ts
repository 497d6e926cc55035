/** A Connect transport over the bridge's WebSocket: streams whose two ways flow at the same time. */
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createContextValues,
  type ContextValues,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type Transport,
} from "@connectrpc/connect";
import { createMethodUrl, runStreamingCall } from "@connectrpc/connect/protocol";
import { trailerError } from "@/wire/bridge-status";
import { decodeHeaders, encodeData, encodeHalfClose, encodeHeaders, encodeRenewal, FrameReader } from "@/wire/bridge-frames";

/** Above so many bytes that the socket has not sent yet, no more messages are taken. */
const FULL_BYTES = 64 * 1024;
/** How soon a full socket is looked at again: the interface has no event for it. */
const DRAIN_MS = 20;
/** How long a socket may take to open. */
const OPEN_MS = 10_000;

export interface BridgeOptions {
  /** http(s) origin of the edge. */
  baseUrl: string;
  interceptors?: Interceptor[];
  /** Tells of every new token; the function it gives back ends that. */
  renewals?: (renewed: (token: string) => void) => () => void;
  /** Makes the socket. */
  open?: (url: string, protocol: string) => WebSocket;
}

export function bridgeTransport(options: BridgeOptions): Transport {
  const open = options.open ?? ((url, protocol) => new WebSocket(url, protocol));
  return {
    unary() {
      return Promise.reject(new ConnectError("the bridge carries streams", Code.Unimplemented));
    },
    async stream<I extends DescMessage, O extends DescMessage>(
      method: Parameters<Transport["stream"]>[0] & { input: I; output: O },
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
      contextValues?: ContextValues,
    ): Promise<StreamResponse<I, O>> {
      return runStreamingCall<I, O>({
        ...(options.interceptors ? { interceptors: options.interceptors } : {}),
        ...(signal ? { signal } : {}),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        req: {
          stream: true,
          service: method.parent,
          method: method as StreamRequest<I, O>["method"],
          requestMethod: "POST",
          url: createMethodUrl(options.baseUrl, method),
          header: requestHeaders(header, timeoutMs),
          contextValues: contextValues ?? createContextValues(),
          message: initialised(method.input, input),
        },
        next: (request) => call(request as StreamRequest<I, O>, open, options.renewals),
      });
    },
  };
}

async function* initialised<I extends DescMessage>(schema: I, messages: AsyncIterable<MessageInitShape<I>>) {
  for await (const message of messages) yield create(schema, message);
}

function requestHeaders(given: HeadersInit | undefined, timeoutMs: number | undefined): Headers {
  const headers = new Headers(given);
  headers.set("content-type", "application/grpc-web+proto");
  headers.set("x-grpc-web", "1");
  if (timeoutMs !== undefined && timeoutMs > 0) headers.set("grpc-timeout", `${Math.ceil(timeoutMs)}m`);
  return headers;
}

async function call<I extends DescMessage, O extends DescMessage>(
  request: StreamRequest<I, O>,
  open: (url: string, protocol: string) => WebSocket,
  renewals: BridgeOptions["renewals"],
): Promise<StreamResponse<I, O>> {
  const socket = open(request.url.replace(/^http/, "ws"), "grpc-websockets");
  socket.binaryType = "arraybuffer";
  const arrivals = new Arrivals(socket);
  const abort = () => {
    arrivals.end(abortReason(request.signal));
    socket.close();
  };
  request.signal.addEventListener("abort", abort, { once: true });
  try {
    await opened(socket, request.signal);
  } catch (error) {
    request.signal.removeEventListener("abort", abort);
    socket.close();
    throw error;
  }
  socket.send(encodeHeaders(request.header));
  const renew = (token: string) => {
    if (request.header.has("authorization") && socket.readyState === WebSocket.OPEN) socket.send(encodeRenewal(token));
  };
  const unsubscribe = renewals?.(renew);
  void send(socket, request, arrivals);
  const trailer = new Headers();
  return {
    stream: true,
    service: request.service,
    method: request.method,
    // The headers frame is read with the first message: a call that is opened is not answered yet.
    header: new Headers(),
    trailer,
    message: received(request.method.output, arrivals, trailer, () => {
      unsubscribe?.();
      request.signal.removeEventListener("abort", abort);
      socket.close();
    }),
  };
}

function abortReason(signal: AbortSignal): ConnectError {
  return ConnectError.from(signal.reason, Code.Canceled);
}

/** Resolves when the socket is open; rejects with UNAVAILABLE when it does not open. */
function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new ConnectError("the connection did not open in time", Code.Unavailable)), OPEN_MS);
    const settle = (outcome: () => void) => () => {
      clearTimeout(timer);
      outcome();
    };
    socket.addEventListener("open", settle(resolve), { once: true });
    socket.addEventListener("close", settle(() => reject(new ConnectError("the connection did not open", Code.Unavailable))), { once: true });
    signal.addEventListener("abort", settle(() => reject(abortReason(signal))), { once: true });
    if (signal.aborted) settle(() => reject(abortReason(signal)))();
  });
}

/** Sends the messages as they come and as the socket takes them, then says that there are no more. */
async function send<I extends DescMessage, O extends DescMessage>(
  socket: WebSocket,
  request: StreamRequest<I, O>,
  arrivals: Arrivals,
): Promise<void> {
  try {
    for await (const message of request.message) {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(encodeData(toBinary(request.method.input, message)));
      while (socket.bufferedAmount > FULL_BYTES && socket.readyState === WebSocket.OPEN) await pause(DRAIN_MS);
    }
    if (socket.readyState === WebSocket.OPEN) socket.send(encodeHalfClose());
  } catch (error) {
    arrivals.end(ConnectError.from(error, Code.Canceled));
    socket.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What the socket brought and nobody has read yet. */
class Arrivals {
  private readonly waiting: Uint8Array<ArrayBuffer>[] = [];
  private failure: ConnectError | undefined;
  private over = false;
  private wake: (() => void) | undefined;

  constructor(socket: WebSocket) {
    socket.addEventListener("message", (event: MessageEvent<ArrayBuffer | string>) => {
      if (typeof event.data === "string") {
        this.end(new ConnectError("text where frames are expected", Code.Internal));
        socket.close();
        return;
      }
      this.waiting.push(new Uint8Array(event.data));
      this.wake?.();
    });
    socket.addEventListener("close", (event) => {
      this.end(new ConnectError(event.reason || "the connection was lost", Code.Unavailable));
    });
  }

  /** The first reason holds: closing is what follows from it. */
  end(failure: ConnectError): void {
    if (this.over) return;
    this.over = true;
    this.failure = failure;
    this.wake?.();
  }

  /** @throws ConnectError When the socket is closed and everything that came was read. */
  async next(): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const bytes = this.waiting.shift();
      if (bytes) return bytes;
      if (this.over) throw this.failure ?? new ConnectError("the connection was lost", Code.Unavailable);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

async function* received<O extends DescMessage>(
  schema: O,
  arrivals: Arrivals,
  trailer: Headers,
  close: () => void,
): AsyncGenerator<MessageShape<O>> {
  const frames = new FrameReader();
  let headers = false;
  try {
    for (;;) {
      for (const frame of frames.push(await arrivals.next())) {
        if (!frame.trailer) {
          yield fromBinary(schema, frame.content);
          continue;
        }
        const read = decodeHeaders(frame.content);
        // The first such frame holds the headers, unless the call failed at once.
        if (!headers && !read.has("grpc-status")) {
          headers = true;
          continue;
        }
        read.forEach((value, name) => trailer.append(name, value));
        const error = trailerError(read);
        if (error) throw error;
        return;
      }
    }
  } finally {
    close();
  }
}

