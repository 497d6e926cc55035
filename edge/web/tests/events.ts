/** Events as the server sends them. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { InterviewEventSchema, type InterviewEvent } from "@viva/interview/v1/conversation_pb";
import { duration } from "@/session/durations";

export type Happening = NonNullable<MessageInitShape<typeof InterviewEventSchema>["event"]>;

export function event(seq: number, happening: Happening): InterviewEvent {
  return create(InterviewEventSchema, { seq: BigInt(seq), at: duration(seq * 100), event: happening, resumeToken: `token-${seq}` });
}

/** The happenings, numbered from 1. */
export function log(...happenings: Happening[]): InterviewEvent[] {
  return happenings.map((happening, at) => event(at + 1, happening));
}

export const FORMAT = { encoding: 1, sampleRateHz: 22050, channels: 1 };
export const ms = duration;

export function started(utteranceId: string, phase = 2): Happening {
  return { case: "utteranceStarted", value: { utteranceId, format: FORMAT, phase } };
}

export function text(utteranceId: string, words: string): Happening {
  return { case: "text", value: { utteranceId, text: words } };
}

/** A second of sound with its words spread over it. */
export function audio(utteranceId: string, offsetMs: number, ...words: string[]): Happening {
  const each = 1000 / Math.max(1, words.length);
  return {
    case: "audio",
    value: {
      utteranceId,
      offset: duration(offsetMs),
      audio: new Uint8Array(44100),
      words: words.map((word, at) => ({ text: word, start: duration(offsetMs + at * each), end: duration(offsetMs + (at + 1) * each) })),
    },
  };
}

export function control(utteranceId: string, action: number): Happening {
  return { case: "playbackControl", value: { utteranceId, action } };
}
