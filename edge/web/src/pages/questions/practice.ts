/** The interview that chosen questions make. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { InterviewSettingsSchema } from "@viva/interview/v1/interview_pb";
import { QuestionCategory, type Question } from "@viva/interview/v1/question_pb";
import { PATIENCE_OF, readPatience } from "@/app/patience";

const TUTOR = "english-tutor";

/** A tutor talks about topics, an interviewer asks questions: one or the other. */
export function isTopic(question: Question): boolean {
  return question.category === QuestionCategory.CONVERSATION;
}

export function settingsOf(chosen: readonly Question[], language: string): MessageInitShape<typeof InterviewSettingsSchema> {
  return {
    language,
    questionIds: chosen.map(({ id }) => id),
    rounds: chosen.length,
    patience: PATIENCE_OF[readPatience()],
    ...(chosen.every(isTopic) ? { persona: TUTOR } : {}),
  };
}
