import { readdirSync, readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, QuotaFailureSchema, RetryInfoSchema } from "@rpc/error_details_pb";
import { describe as about, expect, it } from "vitest";
import { codeOf, describe, FAILURE_KINDS, isKnownReason } from "@/wire/failures";
import en from "@/words/en";
import zh from "@/words/zh-CN";

const CODES = /INVALID_ARGUMENT|NOT_FOUND|UNAVAILABLE|FAILED_PRECONDITION|ABORTED|RESOURCE_EXHAUSTED|UNAUTHENTICATED|PERMISSION_DENIED|DEADLINE_EXCEEDED|ALREADY_EXISTS|INTERNAL/;
/** Documents of servers that the page never calls itself. */
const OF_MODEL_SERVERS = /^(asr|embed|llm|tts)\.md$/;

/** Every reason that a table of errors names: `| STATUS | `REASON`, `REASON` | … |`. */
function documentedReasons(): string[] {
  const docs = new URL("../../../docs/", import.meta.url);
  const found = new Set<string>();
  for (const name of readdirSync(docs)) {
    if (!name.endsWith(".md") || OF_MODEL_SERVERS.test(name)) continue;
    for (const line of readFileSync(new URL(name, docs), "utf8").split("\n")) {
      const cells = line.split("|").map((cell) => cell.trim());
      if (cells.length < 4 || !CODES.test(cells[1] ?? "")) continue;
      for (const [, reason] of (cells[2] ?? "").matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)) if (reason) found.add(reason);
    }
  }
  return [...found].sort();
}

const reasons = documentedReasons();

about("every documented reason", () => {
  it("is found", () => {
    expect(reasons).toEqual(expect.arrayContaining(["TAKEN_OVER", "WRONG_STATE", "STORE_LOST", "RESUME_TOKEN_STALE"]));
  });

  it.each(reasons)("%s has words of its own", (reason) => {
    expect(isKnownReason(reason)).toBe(true);
    const failure = describe(new ConnectError("secret text", Code.Unknown, undefined, [{ desc: ErrorInfoSchema, value: { reason } }]));
    expect(en.failures[failure.kind].title).not.toBe("");
    expect(zh.failures[failure.kind].title).not.toBe("");
  });
});

/** What a person is told, and what the button beside it does, where another word would mislead them. */
const TOLD: Record<string, [string, string]> = {
  WRONG_PASSWORD: ["wrongPassword", "none"],
  EMAIL_TAKEN: ["emailTaken", "sign-in"],
  SESSION_ENDED: ["signedOut", "sign-in"],
  NO_TOKEN: ["notSignedIn", "sign-in"],
  TAKEN_OVER: ["takenOver", "use-here"],
  WRONG_STATE: ["wrongState", "reload"],
  RESUME_TOKEN_STALE: ["rejoin", "reload"],
  INTERVIEW_TOO_LONG: ["badInput", "none"],
  ANSWER_TOO_LONG: ["badInput", "none"],
  REPORT_NOT_READY: ["reportNotReady", "retry"],
  NO_REPORT: ["noReport", "home"],
  STORE_FULL: ["storeFull", "retry"],
  STORE_LOST: ["storeTrouble", "retry"],
  DRAINING: ["restarting", "retry"],
  RATE_LIMITED: ["rateLimited", "retry"],
  NOT_FOUND: ["notFound", "home"],
};

it.each(Object.entries(TOLD))("%s says what is so, and offers what helps", (reason, [kind, action]) => {
  const failure = describe(new ConnectError("x", Code.Unknown, undefined, [{ desc: ErrorInfoSchema, value: { reason } }]));
  expect([failure.kind, failure.action]).toEqual([kind, action]);
});

it.each(FAILURE_KINDS)("%s is told in both languages", (kind) => {
  for (const words of [en, zh]) {
    expect(words.failures[kind].title.length).toBeGreaterThan(1);
    expect(words.failures[kind].advice.length).toBeGreaterThan(1);
  }
});

about("a failure", () => {
  it("tells which fields were refused", () => {
    const bad = create(BadRequestSchema, { fieldViolations: [{ field: "settings.rounds", description: "x" }] });
    expect(describe(new ConnectError("x", Code.InvalidArgument, undefined, [{ desc: BadRequestSchema, value: bad }]))).toMatchObject({ kind: "badInput", fields: ["settings.rounds"] });
  });

  it("tells when to try again", () => {
    const retry = { retryDelay: { seconds: 2n, nanos: 500_000_000 } };
    const failure = describe(new ConnectError("x", Code.ResourceExhausted, undefined, [{ desc: RetryInfoSchema, value: retry }]));
    expect(failure).toMatchObject({ kind: "busy", retryAfterMs: 2500 });
  });

  it("tells guests that an account gives more, and members when there is more", () => {
    const used = (metadata: Record<string, string>) =>
      describe(new ConnectError("x", Code.ResourceExhausted, undefined, [{ desc: ErrorInfoSchema, value: { reason: "QUOTA_EXHAUSTED", metadata } }]));
    const guest = { kind: "quota", action: "register", resetsAt: undefined };
    expect(used({ kind: "guest", limit: "1", used: "1" })).toMatchObject(guest);
    // What starts again starts again for members.
    expect(used({ kind: "guest", limit: "1", used: "1", reset_time: "2026-12-01T00:00:00Z" })).toMatchObject(guest);
    const quota = create(QuotaFailureSchema, { violations: [{ subject: "user", description: "x" }] });
    const told = [{ desc: QuotaFailureSchema, value: quota }];
    expect(describe(new ConnectError("x", Code.ResourceExhausted, undefined, told))).toMatchObject(guest);
    expect(used({ kind: "member", limit: "5", used: "5", reset_time: "2026-12-01T00:00:00Z" })).toMatchObject({
      kind: "monthUsed",
      action: "none",
      resetsAt: Date.UTC(2026, 11, 1),
    });
  });

  it("names the request to those who run the servers", () => {
    expect(describe(new ConnectError("x", Code.Internal, { "x-request-id": "r1" })).requestId).toBe("r1");
  });

  it("a stream that was reset is a connection that was lost", () => {
    expect(codeOf(new ConnectError("Stream closed with error code NGHTTP2_RST_STREAM", Code.Internal))).toBe(Code.Unavailable);
  });

  it("a network that is gone is unreachable, not unknown", () => {
    expect(describe(ConnectError.from(new TypeError("Failed to fetch"))).kind).toBe("unreachable");
  });
});
