/** What servers answered, in both languages: a member with interviews, a new guest, nobody, a server that fails, or is slow. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@rpc/error_details_pb";
import { AccountKind, AccountSchema, Plan } from "@viva/account/v1/account_pb";
import { AccountService } from "@viva/account/v1/account_service_pb";
import { InterviewSchema, InterviewState, Mode, Patience } from "@viva/interview/v1/interview_pb";
import { InterviewService } from "@viva/interview/v1/interview_service_pb";
import { PersonaService } from "@viva/interview/v1/persona_service_pb";
import { QuestionService } from "@viva/interview/v1/question_service_pb";
import { Difficulty, QuestionCategory } from "@viva/interview/v1/question_pb";
import { RecordedRoom } from "@/dev/conversing";
import { QUESTIONS, reportOf, TURNS, WORDS, type Language } from "@/dev/recorded";
import { toS16 } from "@/audio/resampler";
import { duration } from "@/session/durations";

export const ANSWERS = ["full", "guest", "nobody", "empty", "writing", "live", "error", "never", "late", "practice"] as const;
export type Answers = (typeof ANSWERS)[number];

/** 21 November 2026, noon UTC: the pictures are the same every day. */
const NOW = Date.UTC(2026, 10, 21, 12);
const DAY = 86_400_000;

function refused(code: Code, reason: string, seconds?: bigint): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason } };
  return new ConnectError("recorded", code, undefined, seconds === undefined ? [info] : [info, { desc: RetryInfoSchema, value: { retryDelay: { seconds } } }]);
}

/** What a field was given is refused. */
function badField(field: string): ConnectError {
  const details = [
    { desc: ErrorInfoSchema, value: { reason: "INVALID_FIELD" } },
    { desc: BadRequestSchema, value: { fieldViolations: [{ field, description: "recorded" }] } },
  ];
  return new ConnectError("recorded", Code.InvalidArgument, undefined, details);
}

/** A member has none left until the month is over. */
function exhausted(): ConnectError {
  const metadata = { kind: "member", limit: "5", used: "5", reset_time: "2026-12-01T12:00:00Z" };
  return new ConnectError("recorded", Code.ResourceExhausted, undefined, [{ desc: ErrorInfoSchema, value: { reason: "QUOTA_EXHAUSTED", metadata } }]);
}

/** Who interviews in a language, or in any. */
function personasOf(language: string | undefined) {
  const chinese = language === "zh";
  const interviewer = { id: "professional-man", displayName: chinese ? "专业男面试官" : "Professional man", isDefault: true, languages: ["en", "zh"], mode: Mode.INTERVIEW };
  const tutor = { id: "english-tutor", displayName: "English tutor", languages: ["en"], mode: Mode.SPEAKING_PRACTICE };
  return chinese ? [interviewer] : [interviewer, tutor];
}

/** What a slow server takes: skeletons are seen by then. */
const LATE_MS = 700;

export function answering(language: Language, wanted: Answers): (router: ConnectRouter) => void {
  const late = wanted === "late";
  const answers = late ? "full" : wanted;
  const words = WORDS[language];
  const account = create(AccountSchema, {
    id: "u",
    kind: answers === "full" ? AccountKind.MEMBER : AccountKind.GUEST,
    plan: Plan.FREE,
    interviews: answers === "full" ? { used: 3, limit: 5, resetTime: timestampFromMs(Date.UTC(2026, 11, 1)) } : { used: 1, limit: 1 },
    ...(answers === "full" ? { email: "someone@example.org", settings: { patience: Patience.PATIENT } } : {}),
  });
  const credentials = { accessToken: "recorded", accessTokenLifetime: { seconds: 900n }, account };
  const interview = (id: string, state: InterviewState, daysAgo: number, score?: number) =>
    create(InterviewSchema, {
      id,
      state,
      settings: { language, rounds: 3, jobTitle: words.role, patience: Patience.NORMAL },
      createTime: timestampFromMs(NOW - daysAgo * DAY),
      startTime: timestampFromMs(NOW - daysAgo * DAY),
      ...(score === undefined ? {} : { overallScore: score }),
    });
  const state = answers === "writing" ? InterviewState.REVIEWING : answers === "live" ? InterviewState.PAUSED : InterviewState.COMPLETED;
  let interviews = [
    interview("p", InterviewState.PAUSED, 0),
    interview("x", InterviewState.COMPLETED, 1, 72),
    interview("y", InterviewState.COMPLETED, 4, 64),
    interview("c", InterviewState.CANCELLED, 5),
    interview("z", InterviewState.COMPLETED, 9, 58),
  ];
  const room = new RecordedRoom(language);
  /** A call's answer where the server fails, or never answers. */
  const answered = async <T>(answer: () => T): Promise<T> => {
    if (answers === "error") throw refused(Code.Unavailable, "OVERLOADED", 20n);
    if (answers === "never") await new Promise(() => undefined);
    if (late) await new Promise((resolve) => setTimeout(resolve, LATE_MS));
    return answer();
  };

  return (router) => {
    router.service(AccountService, {
      refresh: () => ({ credentials }),
      createGuest: () => ({ credentials }),
      register: ({ email }) => {
        if (email.startsWith("taken")) throw refused(Code.AlreadyExists, "EMAIL_TAKEN");
        account.kind = AccountKind.MEMBER;
        account.email = email;
        return { credentials };
      },
      logIn: ({ email, bringGuestInterviews }) => {
        if (email.startsWith("wrong")) throw refused(Code.Unauthenticated, "WRONG_PASSWORD");
        if (email.startsWith("full") && bringGuestInterviews) throw exhausted();
        account.kind = AccountKind.MEMBER;
        account.email = email;
        return bringGuestInterviews ? { credentials, brought: { interviews: 1, pending: email.startsWith("slow") } } : { credentials };
      },
      getAccount: () => answered(() => ({ account })),
      updateSettings: ({ settings }) => answered(() => {
        if (settings) account.settings = settings;
        return { account };
      }),
      listSessions: () => answered(() => ({
        sessions: [
          { id: "1", userAgent: "Chrome/147 Linux", current: true, lastUseTime: timestampFromMs(NOW) },
          { id: "2", userAgent: "iPhone Safari/604", lastUseTime: timestampFromMs(NOW - 2 * DAY) },
        ],
      })),
      logOut: () => ({}),
      revokeSession: () => ({}),
      changePassword: ({ currentPassword }) => {
        if (currentPassword.startsWith("wrong")) throw badField("current_password");
        return {};
      },
      requestPasswordReset: () => ({}),
      resetPassword: ({ token }) => {
        if (token === "old") throw refused(Code.InvalidArgument, "INVALID_FIELD");
        return {};
      },
      deleteAccount: ({ password }) => {
        if (password?.startsWith("wrong")) throw badField("password");
        return { interviews: 5 };
      },
      async *exportData() {
        yield { fileName: "viva.zip", content: new Uint8Array(1000) };
      },
    });
    router.service(InterviewService, {
      createInterview: ({ settings }) => answered(() => {
        if (settings?.jobTitle === "used") throw exhausted();
        return { interview: interview("new", InterviewState.READY, 0) };
      }),
      getInterview: ({ interviewId }) => answered(() => {
        if (answers === "nobody") throw refused(Code.Unauthenticated, "NO_TOKEN");
        if (interviewId === "none") throw refused(Code.NotFound, "NOT_FOUND");
        return { interview: interviewId === "new" ? room.interview("new") : interview(interviewId, state, 1) };
      }),
      endInterview: ({ interviewId }) => answered(() => ({ interview: room.end(interviewId) })),
      converse: (requests) => room.converse(requests),
      listInterviews: () => answered(() => ({ interviews: answers === "full" ? interviews : [] })),
      deleteInterview: ({ interviewId }) => {
        interviews = interviews.filter(({ id }) => id !== interviewId);
        return {};
      },
      listTurns: () => answered(() => ({ turns: answers === "empty" ? [] : TURNS[language] })),
      getReport: ({ interviewId }) => answered(() => {
        if (state !== InterviewState.COMPLETED) throw refused(Code.FailedPrecondition, "REPORT_NOT_READY");
        return { report: reportOf(language, { x: 72, y: 64, z: 58 }[interviewId] ?? 72, answers === "empty", answers === "practice") };
      }),
      async *readRecording({ start }) {
        // Three seconds of a tone.
        const samples = Float32Array.from({ length: 48_000 }, (_, at) => 0.2 * Math.sin((2 * Math.PI * 330 * at) / 16_000));
        yield { format: { encoding: 1, sampleRateHz: 16000, channels: 1 }, start: start ?? duration(0), audio: toS16(samples) };
      },
    });
    router.service(PersonaService, { listPersonas: ({ language: asked }) => answered(() => ({ personas: personasOf(asked) })) });
    router.service(QuestionService, {
      searchQuestions: ({ query, category }) => answered(() => ({
        results: QUESTIONS[language]
          .filter((one) => answers !== "empty" && (!query || one.text.includes(query)) && (category === QuestionCategory.UNSPECIFIED || category === one.category))
          .map((one, at) => ({ question: { id: String(at), language, difficulty: Difficulty.MEDIUM, ...one } })),
      })),
    });
  };
}
