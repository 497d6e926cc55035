/**
 * The bytes of gRPC-Web over a WebSocket (docs/websocket-transport.md): a block of headers first, then
 * frames of flags, length and content. A socket's messages need not end where a frame does.
 */
import { Code, ConnectError } from "@connectrpc/connect";

/** What a message of the client's begins with. */
const DATA = 0;
const HALF_CLOSE = 1;
/** Ours: a block of headers with the next token. */
const RENEWAL = 2;
const TRAILER_FLAG = 0x80;
const COMPRESSED_FLAG = 0x01;
/** What the bridge sends at most in a frame; more is a broken peer. */
export const LARGEST_FRAME = 16 * 1024 * 1024;

export interface Frame {
  /** Whether it holds headers or trailers instead of a message. */
  trailer: boolean;
  content: Uint8Array<ArrayBuffer>;
}

/** The first message: the request's headers as HTTP/1 writes them. */
export function encodeHeaders(headers: Headers): Uint8Array<ArrayBuffer> {
  const lines: string[] = [];
  headers.forEach((value, name) => lines.push(`${name}: ${value}\r\n`));
  return new TextEncoder().encode(lines.join(""));
}

/** A message of the request, behind the byte that says so. */
export function encodeData(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(6 + message.length);
  bytes[0] = DATA;
  new DataView(bytes.buffer).setUint32(2, message.length);
  bytes.set(message, 6);
  return bytes;
}

export function encodeHalfClose(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(HALF_CLOSE);
}

/** The next token of a call that goes on longer than the one it began with. */
export function encodeRenewal(token: string): Uint8Array<ArrayBuffer> {
  const block = new TextEncoder().encode(`authorization: Bearer ${token}\r\n`);
  const bytes = new Uint8Array(1 + block.length);
  bytes[0] = RENEWAL;
  bytes.set(block, 1);
  return bytes;
}

/** Cuts what arrives into frames. */
export class FrameReader {
  private rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /**
   * The frames that are complete with these bytes.
   *
   * @throws ConnectError INTERNAL when a frame is larger than any may be, or compressed.
   */
  push(bytes: Uint8Array<ArrayBuffer>): Frame[] {
    let waiting = bytes;
    if (this.rest.length > 0) {
      waiting = new Uint8Array(this.rest.length + bytes.length);
      waiting.set(this.rest);
      waiting.set(bytes, this.rest.length);
    }
    const frames: Frame[] = [];
    let at = 0;
    while (waiting.length - at >= 5) {
      const flags = waiting[at] ?? 0;
      const length = new DataView(waiting.buffer, waiting.byteOffset + at + 1, 4).getUint32(0);
      if (length > LARGEST_FRAME) throw new ConnectError(`a frame of ${length} bytes`, Code.Internal);
      if (flags & COMPRESSED_FLAG) throw new ConnectError("a compressed frame that nobody asked for", Code.Internal);
      if (waiting.length - at - 5 < length) break;
      frames.push({ trailer: (flags & TRAILER_FLAG) !== 0, content: waiting.slice(at + 5, at + 5 + length) });
      at += 5 + length;
    }
    this.rest = waiting.slice(at);
    return frames;
  }

  /** Whether a frame has begun and not ended. */
  get unfinished(): boolean {
    return this.rest.length > 0;
  }
}

/** The headers or trailers of a frame. Lines that are none are left out, as browsers do. */
export function decodeHeaders(content: Uint8Array): Headers {
  const headers = new Headers();
  for (const line of new TextDecoder().decode(content).split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    try {
      headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
    } catch {
      continue;
    }
  }
  return headers;
}
