// An interview is created and listened to over gRPC-Web, as from a browser, while `viva up` runs:
//
//   npm install @connectrpc/connect @connectrpc/connect-web @bufbuild/protobuf
//   node grpc_web.mjs
//
// The contracts are read at run time from the file that `viva up` writes; `buf generate` makes typed
// clients of protos/ instead.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const {
  EDGE = "http://localhost:8080",
  DESCRIPTORS = `${homedir()}/.local/share/viva/run/envoy/contracts.binpb`,
  TOKEN,
} = process.env;

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(DESCRIPTORS)));
const transport = createGrpcWebTransport({ baseUrl: EDGE });
const client = (name) => createClient(registry.getService(name), transport);

// Anybody may be a guest: one interview, kept by registering.
async function guest() {
  const { credentials } = await client("viva.account.v1.AccountService").createGuest({});
  return credentials.accessToken;
}

const { personas } = await client("viva.interview.v1.PersonaService").listPersonas({ language: "en" });
for (const persona of personas) console.log(`${persona.id}  ${persona.displayName}`);

const options = { headers: { authorization: `Bearer ${TOKEN ?? (await guest())}` } };
const interviews = client("viva.interview.v1.InterviewService");
const { interview } = await interviews.createInterview({ settings: { jobTitle: "Backend engineer" } }, options);
const join = { interviewId: interview.id, textOnly: true };
for await (const { event } of interviews.listen({ join }, options)) {
  console.log(`${event.seq}  ${event.event.case ?? ""}`);
  if (event.event.case === "utteranceEnded") {
    console.log(`Interviewer: ${event.event.value.turn.text}`);
    break;
  }
}
