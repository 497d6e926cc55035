/**
 * The connection to an interview, for as long as the page is open: Converse over the bridge, or Listen
 * and Speak where WebSockets do not get through; joined again whenever it breaks.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AudioReceived, InterviewEvent, JoinInterviewSchema } from "@viva/interview/v1/conversation_pb";
import { milliseconds } from "@/session/durations";
import type { Outbox } from "@/session/outbox";
import type { LinkFact, Message } from "@/session/state";
import { codeOf, describe, reasonOf, retryAfterMs } from "@/wire/failures";
import type { Wire } from "@/wire/clients";

/** Every join is answered at once: a socket that brings nothing for so long does not get through. */
const FIRST_MESSAGE_MS = 3_000;
/** So many such sockets in a row, and plain calls carry the interview. */
const SOCKETS_TRIED = 2;
const BACK_OFF_MS = 250;
const MOST_BACK_OFF_MS = 5_000;
/** A server that is full says when to come again; later than this nobody waits before a page. */
const MOST_TOLD_MS = 30_000;
/** No interview lasts longer in one connection. */
const CONVERSATION_MS = 2 * 60 * 60 * 1000;
const SPEAK_MS = 10_000;
const SPEAK_MESSAGES = 100;
/** What is said is answered by events: without any it is slow first, then taken for lost. */
const SLOW_MS = 3_000;
const DEAD_MS = 10_000;

export interface LinkOptions {
  wire: Pick<Wire, "conversation" | "interviews" | "credentials">;
  interviewId: string;
  outbox: Outbox;
  /** What to join with: the newest token, the shapes of the audio. */
  join: () => MessageInitShape<typeof JoinInterviewSchema>;
  event: (event: InterviewEvent) => void;
  fact: (fact: LinkFact) => void;
  /** The token is of no use any more. */
  forgetToken: () => void;
  /** Whether the interview is over: the end of the stream is then no loss. */
  over: () => boolean;
  /** Whether there is a network at all. */
  online?: () => boolean;
  /** 0 to 1. */
  random?: () => number;
}

/** What is told to whoever awaits. */
class Bell {
  private ring: (() => void) | undefined;

  wake(): void {
    this.ring?.();
    this.ring = undefined;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.ring = resolve;
    });
  }
}

export class Link {
  private position: Message | undefined;
  private readonly bell = new Bell();
  private readonly closing = new AbortController();
  private attempt: AbortController | undefined;
  private socketsWithoutMessage = 0;
  private failures = 0;
  private renewed = false;
  /** Whether this connection's join was answered: until then nobody knows where new audio begins. */
  private joined = false;
  /** Whether what is told first was for somebody else: this page, or its memory, is new. */
  private anew = true;
  private lastMessage = 0;
  private sentSince: number | undefined;

  constructor(private readonly options: LinkOptions) {}

  /** Says something; while there is no connection it waits, except what is soon out of date. */
  send(message: Message): void {
    if (message.message?.case === "playback") this.position = this.attempt && message;
    else this.options.outbox.say(message);
    this.bell.wake();
  }

  /** The outbox has more. */
  recorded(): void {
    this.bell.wake();
  }

  /** Nothing works without a network: the connection is given up at once, and made anew with it. */
  interrupted(): void {
    this.attempt?.abort(new ConnectError("the network is gone", Code.Unavailable));
  }

  /** A tick of the page's clock: looks after a connection that says nothing. */
  watch(now: number): void {
    if (!this.attempt || this.sentSince === undefined) return;
    const silent = now - Math.max(this.lastMessage, this.sentSince);
    this.options.fact({ kind: "slow", slow: silent > SLOW_MS });
    if (silent > DEAD_MS) this.attempt.abort(new ConnectError("nothing comes back", Code.Unavailable));
  }

  close(): void {
    this.closing.abort(new ConnectError("the page leaves the room", Code.Canceled));
    this.attempt?.abort(this.closing.signal.reason);
  }

  /** Holds the connection until the interview is over, another page has it, or it is refused. */
  async run(): Promise<void> {
    while (!this.closing.signal.aborted) {
      let toldMs = 0;
      try {
        if (this.socketsWithoutMessage < SOCKETS_TRIED) await this.overSocket();
        else await this.overCalls();
        if (this.options.over()) return;
        throw new ConnectError("the conversation ended early", Code.Unavailable);
      } catch (error) {
        if (this.closing.signal.aborted || this.options.over()) return;
        if (await this.isFinal(error)) return;
        toldMs = Math.min(retryAfterMs(error) ?? 0, MOST_TOLD_MS);
      }
      this.options.outbox.cut();
      this.failures += 1;
      this.options.fact({ kind: "lost", attempt: this.failures });
      await this.backOff(toldMs);
    }
  }

  private async isFinal(error: unknown): Promise<boolean> {
    const reason = reasonOf(error);
    // The server that was to be spoken to is not the one that is listened to any more.
    if (reason === "NOT_JOINED") return false;
    if (reason === "TAKEN_OVER") {
      this.options.fact({ kind: "elsewhere" });
      return true;
    }
    if (reason === "RESUME_TOKEN_STALE" || reason === "RESUME_TOKEN_INVALID") {
      this.options.forgetToken();
      return false;
    }
    switch (codeOf(error)) {
      case Code.Unauthenticated: {
        const renewed = this.renewed ? undefined : await this.renew();
        this.renewed = true;
        if (renewed) return false;
        break;
      }
      case Code.InvalidArgument:
      case Code.NotFound:
      case Code.PermissionDenied:
      case Code.FailedPrecondition:
      case Code.Unimplemented:
        break;
      default:
        return false;
    }
    this.options.fact({ kind: "refused", failure: describe(error) });
    return true;
  }

  private async renew(): Promise<boolean> {
    try {
      return (await this.options.wire.credentials.renew(await this.options.wire.credentials.token())) !== undefined;
    } catch {
      return false;
    }
  }

  /** Waits 0.25 to 5 s, by chance shorter, and as long as it was told; or until the network is back. */
  private async backOff(toldMs: number): Promise<void> {
    const most = Math.min(MOST_BACK_OFF_MS, BACK_OFF_MS * 2 ** Math.min(this.failures - 1, 6));
    const ms = Math.max(toldMs, most * (0.5 + 0.5 * (this.options.random ?? Math.random)()));
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        globalThis.removeEventListener?.("online", done);
        this.closing.signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      globalThis.addEventListener?.("online", done);
      this.closing.signal.addEventListener("abort", done);
    });
  }

  private async overSocket(): Promise<void> {
    const attempt = this.begin();
    const impatient = setTimeout(() => {
      attempt.abort(new ConnectError("the socket brings nothing", Code.Unavailable));
    }, FIRST_MESSAGE_MS);
    let got = false;
    try {
      const answers = this.options.wire.conversation.converse(this.said(attempt.signal), {
        signal: attempt.signal,
        timeoutMs: CONVERSATION_MS,
      });
      for await (const { event } of answers) {
        if (!got) this.opened("socket", event, impatient);
        got = true;
        this.arrived(event);
      }
    } catch (error) {
      // A refusal is an answer: the socket got through. Without a network nothing does.
      const online = (this.options.online ?? (() => navigator.onLine))();
      if (!got && online && codeOf(error) === Code.Unavailable) this.socketsWithoutMessage += 1;
      throw attempt.signal.aborted ? attempt.signal.reason : error;
    } finally {
      clearTimeout(impatient);
      this.end(attempt);
    }
  }

  private async overCalls(): Promise<void> {
    const attempt = this.begin();
    const join = this.joining();
    if (!join.resumeToken) this.options.outbox.countCallsAnew();
    let got = false;
    let speaking: Promise<void> | undefined;
    try {
      const answers = this.options.wire.interviews.listen(
        { join },
        { signal: attempt.signal, timeoutMs: CONVERSATION_MS },
      );
      for await (const { event } of answers) {
        if (!got) {
          this.opened("calls", event);
          speaking = this.speak(attempt);
        }
        got = true;
        this.arrived(event);
      }
    } catch (error) {
      // Perhaps it is not the socket: it has another try.
      if (!got) this.socketsWithoutMessage = SOCKETS_TRIED - 1;
      throw attempt.signal.aborted ? attempt.signal.reason : error;
    } finally {
      this.end(attempt);
      await speaking;
    }
  }

  private begin(): AbortController {
    const attempt = new AbortController();
    this.attempt = attempt;
    // The join itself is to be answered.
    this.sentSince = performance.now();
    this.joined = false;
    this.position = undefined;
    this.options.outbox.rewind();
    return attempt;
  }

  private end(attempt: AbortController): void {
    if (!attempt.signal.aborted) attempt.abort(new ConnectError("the connection ended", Code.Canceled));
    if (this.attempt === attempt) this.attempt = undefined;
    this.bell.wake();
  }

  private joining(): MessageInitShape<typeof JoinInterviewSchema> {
    const join = this.options.join();
    if (!join.resumeToken) this.anew = true;
    return { ...join, client: this.options.outbox.client };
  }

  private opened(way: "socket" | "calls", answer: InterviewEvent | undefined, impatient?: ReturnType<typeof setTimeout>): void {
    clearTimeout(impatient);
    this.failures = 0;
    this.renewed = false;
    if (way === "socket") this.socketsWithoutMessage = 0;
    this.options.fact({ kind: "open", way, ...(this.anew ? { unheardMs: milliseconds(answer?.at) } : {}) });
    this.anew = false;
  }

  private arrived(event: InterviewEvent | undefined): void {
    this.lastMessage = performance.now();
    this.sentSince = undefined;
    if (!event) return;
    if (event.event.case === "audioReceived") this.kept(event.event.value);
    this.options.event(event);
  }

  private kept({ offset, received, message }: AudioReceived): void {
    const { outbox } = this.options;
    outbox.forget(milliseconds(offset), message ?? 0n);
    if (this.joined) return;
    this.joined = true;
    outbox.beginAt(milliseconds(received));
    this.bell.wake();
  }

  /** Converse's way up: the join, then, once it was answered, what there is to say. */
  private async *said(signal: AbortSignal) {
    yield { message: { case: "join" as const, value: this.joining() } };
    while (!signal.aborted) {
      const message = this.next();
      if (message) yield { message: { case: "candidate" as const, value: message } };
      else await this.bell.wait();
    }
  }

  private next(): Message | undefined {
    if (!this.joined) return undefined;
    const { position } = this;
    this.position = undefined;
    if (position) return position;
    const message = this.options.outbox.next();
    if (message) this.sentSince ??= performance.now();
    return message;
  }

  /** Speak, one call after the other; one that failed comes again under its number. */
  private async speak(attempt: AbortController): Promise<void> {
    const { outbox } = this.options;
    let unanswered: Message[] = [];
    let call = 0n;
    while (!attempt.signal.aborted) {
      if (unanswered.length === 0) {
        unanswered = this.gathered();
        if (unanswered.length === 0) {
          await this.bell.wait();
          continue;
        }
        call = outbox.nextCall();
      }
      try {
        await this.options.wire.interviews.speak(
          { interviewId: this.options.interviewId, messages: unanswered, call, client: outbox.client },
          { signal: attempt.signal, timeoutMs: SPEAK_MS },
        );
        unanswered = [];
      } catch (error) {
        if (attempt.signal.aborted) return;
        if (!PASSING.has(codeOf(error))) {
          attempt.abort(error);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, BACK_OFF_MS));
      }
    }
  }

  private gathered(): Message[] {
    const messages: Message[] = [];
    while (messages.length < SPEAK_MESSAGES) {
      const message = this.next();
      if (!message) break;
      messages.push(message);
    }
    return messages;
  }
}

/** What a call may fail with and succeed the next time. */
const PASSING: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.ResourceExhausted, Code.Unknown, Code.Internal]);
