// @protobuf-ts/grpcweb-transport: binary and text.
import { GrpcWebFetchTransport } from "@protobuf-ts/grpcweb-transport";
import {
  authorization, codec, edge, failureWith, interviews, LARGE, questions, report,
} from "./contracts.js";

const transport = new GrpcWebFetchTransport({ baseUrl: edge, format: process.env.FORMAT });
const options = { meta: authorization };

function info(method) {
  const { request, toBytes, fromBytes } = codec(method);
  return {
    service: { typeName: method.parent.typeName, methods: [], options: {} },
    name: method.name,
    localName: method.localName,
    idempotency: undefined,
    serverStreaming: method.methodKind.endsWith("server_streaming"),
    clientStreaming: false,
    options: {},
    I: { typeName: method.input.typeName, create: request, toBinary: toBytes },
    O: { typeName: method.output.typeName, fromBinary: fromBytes },
  };
}

function unary(method, init, chosen = options) {
  const call = transport.unary(info(method), codec(method).request(init), transport.mergeOptions(chosen));
  return call.response;
}

const failure = failureWith((error) => error.meta);

const { getInterview, listen } = interviews.method;
const { searchQuestions } = questions.method;

async function listened(interviewId, abort, each) {
  const call = transport.serverStreaming(
    info(listen),
    codec(listen).request({ join: { interviewId } }),
    transport.mergeOptions({ ...options, abort }),
  );
  for await (const answer of call.responses) each(Number(answer.event.seq));
  return (await call.status).code;
}

await report({
  unary: async () => (await unary(getInterview, { interviewId: "one" })).interview.id,
  public: async () => (await unary(searchQuestions, { query: "a" }, {})).results[0].question.text,
  large: async () =>
    (await unary(searchQuestions, { query: LARGE })).results[0].question.text.length,
  stream: async () => {
    const found = [];
    await listened("one", undefined, (seq) => found.push(seq));
    return found;
  },
  error: () => failure(unary(getInterview, { interviewId: "bad" })),
  unauthenticated: () => failure(unary(getInterview, { interviewId: "one" }, {})),
  deadline: () =>
    failure(unary(getInterview, { interviewId: "slow" }, { ...options, timeout: 300 })),
  cancel: async () => {
    const stop = new AbortController();
    let found = 0;
    const failed = await failure(
      listened("endless", stop.signal, () => {
        if (++found === 2) stop.abort();
      }),
    );
    return { code: failed.code, found };
  },
});
