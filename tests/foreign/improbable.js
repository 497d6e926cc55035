// @improbable-eng/grpc-web over WebSockets: the bridge.
import { createRequire } from "node:module";
import { authorization, codec, edge, fieldsOf, interviews, path, report } from "./contracts.js";

const require = createRequire(import.meta.url);
// The library looks for a browser.
globalThis.window = globalThis;
const { grpc } = require("@improbable-eng/grpc-web");

function definition(method) {
  const { fromBytes } = codec(method);
  return {
    methodName: method.name,
    service: { serviceName: method.parent.typeName },
    requestStream: method.methodKind !== "unary" && method.methodKind !== "server_streaming",
    responseStream: method.methodKind !== "unary",
    requestType: Object,
    responseType: {
      deserializeBinary: (bytes) => ({ message: fromBytes(bytes), toObject: () => ({}) }),
    },
  };
}

/** Calls a method; `act(client, seen)` is told of every answer. Resolves with how it ended. */
function call(method, messages, { metadata = authorization, act, halfClose = true } = {}) {
  const { request, toBytes } = codec(method);
  const client = grpc.client(definition(method), {
    host: edge,
    transport: grpc.WebsocketTransport(),
  });
  const say = (init) => client.send({ serializeBinary: () => toBytes(request(init)) });
  return new Promise((resolve) => {
    const seen = [];
    let headers;
    client.onHeaders((found) => (headers = found));
    client.onMessage(({ message }) => {
      seen.push(message);
      act?.({ client, seen, say, resolve });
    });
    client.onEnd((code, message, trailers) => {
      const details = trailers.get("grpc-status-details-bin")[0];
      resolve({
        code,
        message,
        seen,
        type: headers?.get("content-type")[0],
        fields: details ? fieldsOf(Buffer.from(details, "base64")) : [],
      });
    });
    client.start(new grpc.Metadata(metadata));
    messages.forEach(say);
    if (halfClose) client.finishSend();
  });
}

const { getInterview, listen, converse } = interviews.method;
const join = { message: { case: "join", value: { interviewId: "one" } } };
const typed = (text) => ({
  message: {
    case: "candidate",
    value: { message: { case: "typed", value: { text } } },
  },
});

await report({
  unary: async () => {
    const { code, seen, type } = await call(getInterview, [{ interviewId: "one" }]);
    return { code, id: seen[0]?.interview.id, type };
  },
  stream: async () => {
    const { code, seen } = await call(listen, [{ join: { interviewId: "one" } }]);
    return { code, seen: seen.map((answer) => Number(answer.event.seq)) };
  },
  bidi: async () => {
    // One at a time: the next is said when the last was answered.
    const { code, seen } = await call(converse, [join], {
      halfClose: false,
      act: ({ client, seen, say }) => (seen.length < 5 ? say(typed("x")) : client.finishSend()),
    });
    return { code, seen: seen.map((answer) => Number(answer.event.seq)) };
  },
  large: async () => {
    const { code, seen } = await call(converse, [join, typed("x".repeat(300_000))]);
    return { code, seen: seen.length };
  },
  error: async () => {
    const { code, message, fields } = await call(getInterview, [{ interviewId: "bad" }]);
    return { code, message, fields };
  },
  unauthenticated: async () => {
    const { code } = await call(converse, [join], { metadata: {} });
    return { code };
  },
  deadline: async () => {
    const { code } = await call(getInterview, [{ interviewId: "slow" }], {
      metadata: { ...authorization, "grpc-timeout": "300m" },
    });
    return { code };
  },
  cancel: () =>
    call(listen, [{ join: { interviewId: "endless" } }], {
      act: ({ client, seen, resolve }) => {
        if (seen.length === 2) {
          client.close();
          resolve({ found: seen.length });
        }
      },
    }),
});
