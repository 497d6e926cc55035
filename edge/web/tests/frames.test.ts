import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@rpc/error_details_pb";
import { StatusSchema } from "@rpc/status_pb";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeaders, encodeData, encodeHalfClose, encodeHeaders, encodeRenewal, FrameReader, LARGEST_FRAME } from "@/wire/bridge-frames";
import { trailerError } from "@/wire/bridge-status";
import { reasonOf } from "@/wire/failures";

function frame(flags: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + content.length);
  bytes[0] = flags;
  new DataView(bytes.buffer).setUint32(1, content.length);
  bytes.set(content, 5);
  return bytes;
}

describe("what the page sends", () => {
  it("headers as HTTP/1 writes them", () => {
    const block = encodeHeaders(new Headers({ authorization: "Bearer x", "content-type": "application/grpc-web+proto" }));
    expect(new TextDecoder().decode(block)).toBe("authorization: Bearer x\r\ncontent-type: application/grpc-web+proto\r\n");
  });

  it("a message: data follows, no flags, length, content", () => {
    expect([...encodeData(Uint8Array.of(7, 8))]).toEqual([0, 0, 0, 0, 0, 2, 7, 8]);
  });

  it("the next token", () => {
    expect(new TextDecoder().decode(encodeRenewal("x"))).toBe("\u0002authorization: Bearer x\r\n");
  });

  it("a half-close", () => {
    expect([...encodeHalfClose()]).toEqual([1]);
  });
});

describe("what the bridge sends", () => {
  it("is read the same however it is cut", () => {
    const message = fc.record({ trailer: fc.boolean(), content: fc.uint8Array({ maxLength: 40 }) });
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 17 })), (messages, cuts) => {
        const all = messages.map(({ trailer, content }) => [...frame(trailer ? 0x80 : 0, content)]).flat();
        const reader = new FrameReader();
        const read = [];
        let at = 0;
        for (const cut of [...cuts, all.length]) {
          read.push(...reader.push(Uint8Array.from(all.slice(at, at + cut))));
          at += cut;
        }
        expect(read.map(({ trailer, content }) => ({ trailer, content: [...content] }))).toEqual(
          messages.map(({ trailer, content }) => ({ trailer, content: [...content] })),
        );
        expect(reader.unfinished).toBe(false);
      }),
    );
  });

  it("a frame larger than any may be is refused before it has come", () => {
    const bytes = new Uint8Array(5);
    new DataView(bytes.buffer).setUint32(1, LARGEST_FRAME + 1);
    expect(() => new FrameReader().push(bytes)).toThrow(ConnectError);
  });

  it("headers, whatever ends their lines", () => {
    const headers = decodeHeaders(new TextEncoder().encode("grpc-status: 0\r\nx-request-id:abc\nnonsense\n"));
    expect([...headers]).toEqual([
      ["grpc-status", "0"],
      ["x-request-id", "abc"],
    ]);
  });
});

describe("the outcome", () => {
  it("is none when the status is 0", () => {
    expect(trailerError(new Headers({ "grpc-status": "0" }))).toBeUndefined();
  });

  it("without a status is an error", () => {
    expect(trailerError(new Headers())?.code).toBe(Code.Internal);
  });

  it("carries code, message and details", () => {
    const info = create(ErrorInfoSchema, { reason: "TAKEN_OVER", domain: "viva" });
    const status = create(StatusSchema, { code: Code.Aborted, message: "x", details: [anyPack(ErrorInfoSchema, info)] });
    const details = btoa(String.fromCharCode(...toBinary(StatusSchema, status)));
    const error = trailerError(new Headers({ "grpc-status": "10", "grpc-message": "taken%20over", "grpc-status-details-bin": details }));
    expect(error?.code).toBe(Code.Aborted);
    expect(error?.rawMessage).toBe("taken over");
    expect(reasonOf(error)).toBe("TAKEN_OVER");
  });

  it("details that cannot be read leave the code", () => {
    const error = trailerError(new Headers({ "grpc-status": "14", "grpc-status-details-bin": "!!" }));
    expect(error?.code).toBe(Code.Unavailable);
  });
});
