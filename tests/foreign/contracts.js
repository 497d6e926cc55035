// The contracts at run time, from a descriptor set: no client here is generated for Viva.
import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

export const { EDGE: edge, TOKEN: token, DESCRIPTORS } = process.env;

const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(DESCRIPTORS)),
);

export const authorization = { authorization: `Bearer ${token}` };

export function service(name) {
  const found = registry.getService(name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

export const interviews = service("viva.interview.v1.InterviewService");
export const questions = service("viva.interview.v1.QuestionService");

/** How messages of a method's two sides become bytes and come back. */
export function codec(method) {
  return {
    request: (init) => create(method.input, init),
    toBytes: (message) => toBinary(method.input, message),
    fromBytes: (bytes) => fromBinary(method.output, bytes),
  };
}

export function path(method) {
  return `/${method.parent.typeName}/${method.name}`;
}

/** The fields that a google.rpc.Status in grpc-status-details-bin complains of. */
export function fieldsOf(statusBytes) {
  const status = fromBinary(registry.getMessage("google.rpc.Status"), statusBytes);
  const found = [];
  for (const detail of status.details) {
    if (detail.typeUrl.endsWith("/google.rpc.BadRequest")) {
      const request = fromBinary(registry.getMessage("google.rpc.BadRequest"), detail.value);
      found.push(...request.fieldViolations.map((violation) => violation.field));
    }
  }
  return found;
}

/** Tells how a promise fails, of a client whose errors keep the trailers where `trailers` looks. */
export function failureWith(trailers) {
  return async (promise) => {
    try {
      await promise;
    } catch (error) {
      const details = trailers(error)?.["grpc-status-details-bin"];
      return {
        code: error.code,
        message: error.message,
        fields: details ? fieldsOf(Buffer.from(details, "base64")) : [],
      };
    }
    return "no failure";
  };
}

export const LARGE = "x".repeat(300_000);

// What hangs this long is broken; nothing is measured by it.
async function guard() {
  await new Promise((resolve) => setTimeout(resolve, 8000).unref());
  return { threw: "no end in 8 s" };
}

/** What every client does; each scenario's outcome, or what it threw, goes to standard output. */
export async function report(scenarios) {
  const outcomes = {};
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      outcomes[name] = await Promise.race([scenario(), guard()]);
    } catch (error) {
      outcomes[name] = { threw: String(error?.stack ?? error) };
    }
  }
  process.stdout.write(JSON.stringify(outcomes), () => process.exit(0));
}
