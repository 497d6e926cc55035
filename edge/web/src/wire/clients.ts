/** How the page calls its servers: gRPC-Web for calls and Listen, the bridge's WebSocket for Converse. */
import { Code, ConnectError, createClient, type Client, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { AccountService } from "@viva/account/v1/account_service_pb";
import { InterviewService } from "@viva/interview/v1/interview_service_pb";
import { PersonaService } from "@viva/interview/v1/persona_service_pb";
import { QuestionService } from "@viva/interview/v1/question_service_pb";
import { bridgeTransport } from "@/wire/bridge-transport";
import { Credentials } from "@/wire/credentials";
import { reasonOf } from "@/wire/failures";

/** Every call ends by then, unless it says otherwise. */
const CALL_MS = 15_000;
/** Calls that get credentials carry none. */
const WITHOUT_TOKEN = new Set(["CreateGuest", "LogIn", "Refresh", "RequestPasswordReset", "ResetPassword"]);

export interface Wire {
  credentials: Credentials;
  accounts: Client<typeof AccountService>;
  interviews: Client<typeof InterviewService>;
  personas: Client<typeof PersonaService>;
  questions: Client<typeof QuestionService>;
  /** Over the bridge: Converse, whose two ways flow at the same time. */
  conversation: Client<typeof InterviewService>;
}

export function createWire(origin: string = location.origin): Wire {
  const accountTransport = createGrpcWebTransport({
    baseUrl: origin,
    defaultTimeoutMs: CALL_MS,
    // The refresh cookie goes along, and comes back.
    fetch: (input, init) => fetch(input, { ...init, credentials: "same-origin" }),
    interceptors: [(next) => (request) => authorised(request, credentials, next)],
  });
  const accounts = createClient(AccountService, accountTransport);
  const credentials: Credentials = new Credentials(accounts);
  const transport = createGrpcWebTransport({
    baseUrl: origin,
    defaultTimeoutMs: CALL_MS,
    interceptors: [(next) => (request) => authorised(request, credentials, next)],
  });
  const socket: Transport = bridgeTransport({
    baseUrl: origin,
    renewals: (renewed) => credentials.onRenewal(renewed),
    interceptors: [(next) => (request) => authorised(request, credentials, next)],
  });
  return {
    credentials,
    accounts,
    interviews: createClient(InterviewService, transport),
    personas: createClient(PersonaService, transport),
    questions: createClient(QuestionService, transport),
    conversation: createClient(InterviewService, socket),
  };
}

type Next = Parameters<Interceptor>[0];

/** Calls with the token; where it has expired on the way, once more with the next. */
async function authorised(request: Parameters<Next>[0], credentials: Credentials, next: Next) {
  if (WITHOUT_TOKEN.has(request.method.name)) return next(request);
  const token = await credentials.token();
  if (token === undefined) return next(request);
  request.header.set("authorization", `Bearer ${token}`);
  try {
    return await next(request);
  } catch (error) {
    // A stream's messages cannot be sent a second time: whoever opened it opens it again.
    if (request.stream || ConnectError.from(error).code !== Code.Unauthenticated) throw error;
    // It is not the token that is wrong.
    if (reasonOf(error) === "WRONG_PASSWORD") throw error;
    const renewed = await credentials.renew(token);
    if (renewed === undefined) throw error;
    request.header.set("authorization", `Bearer ${renewed}`);
    return next(request);
  }
}

let made: Wire | undefined;

/** Has the page call other servers: recorded ones, where pages are looked at without any. */
export function useWire(other: Wire): void {
  made = other;
}

/** The page's only one. */
export function wire(): Wire {
  made ??= createWire();
  return made;
}
