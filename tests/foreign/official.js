// grpc-web, the official client: binary and text.
import { createRequire } from "node:module";
import {
  authorization, codec, edge, failureWith, interviews, LARGE, path, questions, report,
} from "./contracts.js";

const require = createRequire(import.meta.url);
globalThis.XMLHttpRequest = require("xhr2");
const { GrpcWebClientBase, MethodDescriptor, MethodType } = require("grpc-web");

const client = new GrpcWebClientBase({ format: process.env.FORMAT });

function descriptor(method, type) {
  const { toBytes, fromBytes } = codec(method);
  return new MethodDescriptor(path(method), type, Object, Object, toBytes, fromBytes);
}

function unary(method, init, metadata = authorization) {
  const call = descriptor(method, MethodType.UNARY);
  return client.unaryCall(edge + path(method), codec(method).request(init), metadata, call);
}

function stream(method, init) {
  const call = descriptor(method, MethodType.SERVER_STREAMING);
  return client.serverStreaming(
    edge + path(method), codec(method).request(init), authorization, call,
  );
}

const failure = failureWith((error) => error.metadata);

const { getInterview, listen } = interviews.method;
const { searchQuestions } = questions.method;

await report({
  unary: async () => (await unary(getInterview, { interviewId: "one" })).interview.id,
  public: async () => (await unary(searchQuestions, { query: "a" }, {})).results[0].question.text,
  large: async () =>
    (await unary(searchQuestions, { query: LARGE })).results[0].question.text.length,
  stream: () =>
    new Promise((resolve, reject) => {
      const found = [];
      const call = stream(listen, { join: { interviewId: "one" } });
      call.on("data", (answer) => found.push(Number(answer.event.seq)));
      call.on("error", reject);
      call.on("end", () => resolve(found));
    }),
  error: () => failure(unary(getInterview, { interviewId: "bad" })),
  unauthenticated: () => failure(unary(getInterview, { interviewId: "one" }, {})),
  deadline: () =>
    failure(
      unary(
        getInterview, { interviewId: "slow" }, { ...authorization, deadline: `${Date.now() + 300}` },
      ),
    ),
  // xhr2 hands over what has come at the end only: there is no answer to wait for.
  cancel: () =>
    new Promise((resolve) => {
      const call = stream(listen, { join: { interviewId: "endless" } });
      call.on("error", (error) => resolve({ error: error.message }));
      setTimeout(() => {
        call.cancel();
        resolve({ code: null });
      }, 1500);
    }),
});
