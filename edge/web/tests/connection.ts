/** A connection to an interview as a test sees it, and what its server says. */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@rpc/error_details_pb";
import type { CandidateMessage, InterviewEvent, JoinInterview } from "@viva/interview/v1/conversation_pb";
import { InterviewEventSchema } from "@viva/interview/v1/conversation_pb";
import { ConverseResponseSchema } from "@viva/interview/v1/interview_service_pb";
import { duration, milliseconds } from "@/session/durations";

type Sent = { message?: { case?: string; value?: unknown } };

export class Connection {
  readonly sent: Sent[] = [];
  private readonly waiting: InterviewEvent[] = [];
  private outcome: { error?: unknown } | undefined;
  private wake: () => void = () => undefined;

  constructor(readonly signal: AbortSignal) {
    signal.addEventListener("abort", () => this.end(signal.reason));
  }

  tell(...events: InterviewEvent[]): void {
    this.waiting.push(...events);
    this.wake();
  }

  /** Ends it, with an error unless the interview is over. */
  end(error?: unknown): void {
    this.outcome ??= { error };
    this.wake();
  }

  async *answers() {
    for (;;) {
      const event = this.waiting.shift();
      if (event) yield create(ConverseResponseSchema, { event });
      else if (this.outcome) {
        if (this.outcome.error) throw this.outcome.error;
        return;
      } else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  async pull(messages: AsyncIterable<Sent>): Promise<void> {
    for await (const message of messages) {
      if (this.signal.aborted) return;
      this.sent.push(message);
    }
  }

  get join(): JoinInterview {
    return this.sent[0]?.message?.value as JoinInterview;
  }

  /** What the candidate's side said after joining. */
  get said(): CandidateMessage[] {
    return this.sent.slice(1).map((sent) => sent.message?.value as CandidateMessage);
  }
}

/** Opens connections as the bridge does; each new one is the last of `opened`. */
export function converses(opened: Connection[]) {
  return (messages: Parameters<Connection["pull"]>[0], { signal }: { signal: AbortSignal }) => {
    const connection = new Connection(signal);
    opened.push(connection);
    void connection.pull(messages);
    return connection.answers();
  };
}

/** A line a message: where its audio lies, in seconds, or its kind and its number. */
export function told(messages: readonly Pick<CandidateMessage, "message" | "number">[]): string[] {
  return messages.map(({ message, number }) => {
    if (message.case !== "audio") return number === undefined ? String(message.case) : `${message.case} ${number}`;
    const from = milliseconds(message.value.chunk?.offset);
    return `${from / 1000}-${(from + (message.value.chunk?.audio.length ?? 0) / 32) / 1000}`;
  });
}

/** What every join is answered with: up to where audio is kept and was taken, in seconds. It is no event of the log. */
export function joined({ kept = 0, received = kept, message, at = 0, seq = 0 }: { kept?: number; received?: number; message?: bigint; at?: number; seq?: number } = {}): InterviewEvent {
  return create(InterviewEventSchema, {
    seq: BigInt(seq),
    at: duration(at),
    event: {
      case: "audioReceived",
      value: { offset: duration(kept * 1000), received: duration(received * 1000), ...(message === undefined ? {} : { message }) },
    },
  });
}

/** A refusal; `retryMs` tells after how long another try can help. */
export function refusal(code: Code, reason: string, retryMs?: number): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason } };
  if (retryMs === undefined) return new ConnectError("x", code, undefined, [info]);
  return new ConnectError("x", code, undefined, [info, { desc: RetryInfoSchema, value: { retryDelay: duration(retryMs) } }]);
}

export const takenOver = () => refusal(Code.Aborted, "TAKEN_OVER");
export const reset = () => new ConnectError("x", Code.Unavailable);
