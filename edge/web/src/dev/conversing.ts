/** A recorded interview that one can be in: it asks, takes what is typed, and ends when it is ended. */
import { create } from "@bufbuild/protobuf";
import { InterviewEventSchema } from "@viva/interview/v1/conversation_pb";
import { InterviewSchema, InterviewState, Phase, type Interview } from "@viva/interview/v1/interview_pb";
import type { ConverseRequest } from "@viva/interview/v1/interview_service_pb";
import { Speaker } from "@viva/interview/v1/turn_pb";
import { asked, ended, SAID, type Happening } from "@/dev/logs";
import type { Language } from "@/dev/recorded";
import { duration } from "@/session/durations";

export class RecordedRoom {
  private state = InterviewState.READY;
  private seq = 0n;

  constructor(private readonly language: Language) {}

  interview(id: string): Interview {
    return create(InterviewSchema, { id, state: this.state, phase: Phase.QUESTION, settings: { language: this.language, rounds: 3 } });
  }

  end(id: string): Interview {
    this.state = InterviewState.COMPLETED;
    return this.interview(id);
  }

  async *converse(requests: AsyncIterable<ConverseRequest>) {
    this.state = InterviewState.LIVE;
    // Every join is answered, first of all.
    yield this.numbered({ case: "audioReceived", value: { received: duration(0) } });
    for (const happening of [...asked(this.language), ended("q", SAID[this.language].question)]) yield this.numbered(happening);
    for await (const { message } of requests) {
      const said = message.case === "candidate" && message.value.message.case === "typed" ? message.value.message.value.text : undefined;
      if (said !== undefined) yield this.numbered({ case: "candidateTurn", value: { turn: { id: `a${this.seq}`, text: said, speaker: Speaker.CANDIDATE, typed: true } } });
    }
  }

  private numbered(event: Happening) {
    this.seq += 1n;
    return { event: create(InterviewEventSchema, { seq: this.seq, at: duration(Number(this.seq) * 500), event, resumeToken: `t${this.seq}` }) };
  }
}
