/** What to tell people of a call that failed: from its reason, else from its code, never its own text. */
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, QuotaFailureSchema, RetryInfoSchema } from "@rpc/error_details_pb";

/** What a button beside the words does. */
export type Remedy = "retry" | "reload" | "sign-in" | "register" | "home" | "type" | "use-here" | "new-link" | "none";

export interface Failure {
  /** Key of the words: `failures.<kind>.title` and `.advice`. */
  kind: FailureKind;
  action: Remedy;
  /** Which fields of the request were refused, by their path. */
  fields: string[];
  /** When trying again can help, from when on it was told. */
  retryAfterMs: number | undefined;
  /** When there is more of what is used up, ms since 1970. */
  resetsAt: number | undefined;
  /** Names the call to those who run the servers. */
  requestId: string | undefined;
}

export type FailureKind = keyof typeof ACTIONS;

/** Every kind, and what helps. */
const ACTIONS = {
  busy: "retry",
  underWay: "retry",
  tooManyOpen: "retry",
  noSound: "retry",
  unreachable: "retry",
  restarting: "retry",
  tooSlow: "retry",
  storeTrouble: "retry",
  storeFull: "retry",
  badInput: "none",
  notFound: "home",
  wrongState: "reload",
  reportNotReady: "retry",
  noReport: "home",
  takenOver: "use-here",
  rejoin: "reload",
  quota: "register",
  monthUsed: "none",
  rateLimited: "retry",
  notSignedIn: "sign-in",
  signedOut: "sign-in",
  wrongPassword: "none",
  emailTaken: "sign-in",
  signedIn: "home",
  linkExpired: "new-link",
  forbidden: "home",
  conversationFailed: "home",
  unsupported: "reload",
  cancelled: "retry",
  unknown: "retry",
} as const satisfies Record<string, Remedy>;

const BY_REASON: Readonly<Record<string, FailureKind>> = {
  UNKNOWN: "unknown",
  INVALID_FIELD: "badInput",
  NOT_FOUND: "notFound",
  OVERLOADED: "busy",
  BUSY: "underWay",
  TOO_MANY_OPEN: "tooManyOpen",
  UNAVAILABLE: "unreachable",
  DRAINING: "restarting",
  DEADLINE_EXPIRED: "tooSlow",
  DEADLINE_TOO_SHORT: "tooSlow",
  STORE_LOST: "storeTrouble",
  STORE_TIMEOUT: "storeTrouble",
  STORE_CONFLICT: "storeTrouble",
  STORE_READ_ONLY: "storeTrouble",
  STORE_ERROR: "storeTrouble",
  STORE_FULL: "storeFull",
  HELD_ELSEWHERE: "restarting",
  WRONG_STATE: "wrongState",
  NOT_JOINED: "rejoin",
  NO_AUDIO: "rejoin",
  RESUME_TOKEN_INVALID: "rejoin",
  RESUME_TOKEN_STALE: "rejoin",
  PAGE_TOKEN_INVALID: "rejoin",
  IDEMPOTENCY_KEY_REUSED: "rejoin",
  ANSWER_TOO_LONG: "badInput",
  NUMBER_PASSED: "badInput",
  INTERVIEW_TOO_LONG: "badInput",
  REPORT_NOT_READY: "reportNotReady",
  NO_REPORT: "noReport",
  TAKEN_OVER: "takenOver",
  CONVERSATION_FAILED: "conversationFailed",
  QUOTA_EXHAUSTED: "quota",
  EMAIL_TAKEN: "emailTaken",
  LOGGED_IN: "signedIn",
  NOT_THE_OWNER: "forbidden",
  WRONG_PASSWORD: "wrongPassword",
  TOO_MANY_ATTEMPTS: "rateLimited",
  NO_TOKEN: "notSignedIn",
  NO_REFRESH_TOKEN: "signedOut",
  SESSION_ENDED: "signedOut",
  TOKEN_EXPIRED: "signedOut",
  TOKEN_INVALID: "signedOut",
  REFRESH_TOKEN_REUSED: "signedOut",
  REFRESH_RACED: "cancelled",
  UNAUTHENTICATED: "signedOut",
  PERMISSION_DENIED: "forbidden",
  MALFORMED_REQUEST: "unsupported",
  NOT_SERVED: "unsupported",
  WRONG_VERB: "unsupported",
  WRONG_CONTENT_TYPE: "unsupported",
  REQUEST_TOO_LARGE: "badInput",
  TOO_LARGE_FOR_DEVICE: "badInput",
  HEADERS_TOO_LARGE: "unsupported",
  RATE_LIMITED: "rateLimited",
  TOO_SLOW: "tooSlow",
  UPSTREAM_TOO_SLOW: "tooSlow",
  UPSTREAM_BROKE: "restarting",
  INTERNAL: "unknown",
};

const BY_CODE: Readonly<Record<Code, FailureKind>> = {
  [Code.Canceled]: "cancelled",
  [Code.Unknown]: "unknown",
  [Code.InvalidArgument]: "badInput",
  [Code.DeadlineExceeded]: "tooSlow",
  [Code.NotFound]: "notFound",
  [Code.AlreadyExists]: "wrongState",
  [Code.PermissionDenied]: "forbidden",
  [Code.ResourceExhausted]: "busy",
  [Code.FailedPrecondition]: "wrongState",
  [Code.Aborted]: "wrongState",
  [Code.OutOfRange]: "badInput",
  [Code.Unimplemented]: "unsupported",
  [Code.Internal]: "unknown",
  [Code.Unavailable]: "unreachable",
  [Code.DataLoss]: "unknown",
  [Code.Unauthenticated]: "signedOut",
};

export const FAILURE_KINDS = Object.keys(ACTIONS) as FailureKind[];

/** Whether words of their own are told for this reason. */
export function isKnownReason(reason: string): boolean {
  return Object.hasOwn(BY_REASON, reason);
}

export function reasonOf(error: unknown): string | undefined {
  return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason;
}

/** The code of a failure; a connection that was reset reads as INTERNAL and is none of the server's. */
export function codeOf(error: unknown): Code {
  const { code, rawMessage } = ConnectError.from(error);
  if (code === Code.Internal && /RST_STREAM|reset/i.test(rawMessage)) return Code.Unavailable;
  // What fetch throws where there is no network.
  if (code === Code.Unknown && ConnectError.from(error).cause instanceof TypeError) return Code.Unavailable;
  return code;
}

/** After how long another try can help, where the server said so. */
export function retryAfterMs(error: unknown): number | undefined {
  const delay = ConnectError.from(error).findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : undefined;
}

export function describe(error: unknown): Failure {
  const told = ConnectError.from(error);
  const reason = reasonOf(error);
  const resetsAt = resetOf(told);
  const found = (reason === undefined ? undefined : BY_REASON[reason]) ?? kindOf(told, codeOf(error));
  // Whoever has an account need not create one; guests have nothing that starts again.
  const kind = found === "quota" && resetsAt !== undefined ? "monthUsed" : found;
  return {
    kind,
    action: ACTIONS[kind],
    fields: told.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations.map((violation) => violation.field)),
    resetsAt,
    retryAfterMs: retryAfterMs(error),
    requestId: told.metadata.get("x-request-id") ?? undefined,
  };
}

function resetOf(told: ConnectError): number | undefined {
  const { kind, reset_time: time } = told.findDetails(ErrorInfoSchema)[0]?.metadata ?? {};
  const at = kind === "guest" || time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(at) ? undefined : at;
}

/** A failure of the page's own, which no server told of. */
export function failureOf(kind: FailureKind): Failure {
  return { kind, action: ACTIONS[kind], fields: [], retryAfterMs: undefined, resetsAt: undefined, requestId: undefined };
}

function kindOf(told: ConnectError, code: Code): FailureKind {
  if (told.findDetails(QuotaFailureSchema).length > 0) return "quota";
  return BY_CODE[code];
}
