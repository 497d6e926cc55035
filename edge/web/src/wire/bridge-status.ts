/** The outcome of a call as its trailers tell it. */
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "@rpc/status_pb";

/** The error of these trailers; undefined when the call went well. */
export function trailerError(trailer: Headers): ConnectError | undefined {
  const status = trailer.get("grpc-status");
  if (status === null) return new ConnectError("the call ended without a status", Code.Internal, trailer);
  if (status === "0") return undefined;
  const error = new ConnectError(decoded(trailer.get("grpc-message") ?? ""), codeOf(status), trailer);
  const details = trailer.get("grpc-status-details-bin");
  if (details !== null) {
    try {
      const told = fromBinary(StatusSchema, base64(details));
      for (const detail of told.details) {
        error.details.push({ type: detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1), value: detail.value });
      }
    } catch {
      // Details that cannot be read are none: the code still tells what to do.
    }
  }
  return error;
}

function codeOf(status: string): Code {
  const code = Number(status);
  return Number.isInteger(code) && Code[code] !== undefined ? code : Code.Unknown;
}

function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function base64(text: string): Uint8Array {
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0));
}
