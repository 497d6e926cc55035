// @connectrpc/connect-web: gRPC-Web in binary.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { authorization, edge, fieldsOf, interviews, LARGE, questions, report } from "./contracts.js";

const transport = createGrpcWebTransport({ baseUrl: edge });
const interviewing = createClient(interviews, transport);
const asking = createClient(questions, transport);
const options = { headers: authorization };

async function failure(call) {
  try {
    await call();
  } catch (error) {
    const failed = ConnectError.from(error);
    const details = failed.metadata.get("grpc-status-details-bin");
    return {
      code: Code[failed.code],
      message: failed.rawMessage,
      fields: details ? fieldsOf(Buffer.from(details, "base64")) : [],
    };
  }
  return "no failure";
}

await report({
  unary: async () => (await interviewing.getInterview({ interviewId: "one" }, options)).interview.id,
  public: async () => (await asking.searchQuestions({ query: "a" })).results[0].question.text,
  large: async () =>
    (await asking.searchQuestions({ query: LARGE })).results[0].question.text.length,
  stream: async () => {
    const found = [];
    for await (const answer of interviewing.listen({ join: { interviewId: "one" } }, options)) {
      found.push(Number(answer.event.seq));
    }
    return found;
  },
  error: () => failure(() => interviewing.getInterview({ interviewId: "bad" }, options)),
  unauthenticated: () => failure(() => interviewing.getInterview({ interviewId: "one" })),
  deadline: () =>
    failure(() => interviewing.getInterview({ interviewId: "slow" }, { ...options, timeoutMs: 300 })),
  cancel: async () => {
    const stop = new AbortController();
    let found = 0;
    const failed = await failure(async () => {
      const endless = interviewing.listen(
        { join: { interviewId: "endless" } },
        { ...options, signal: stop.signal },
      );
      for await (const _ of endless) if (++found === 2) stop.abort();
    });
    return { code: failed.code, found };
  },
});
