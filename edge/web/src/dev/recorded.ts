/** An interview that was held, and its report, in both languages. */
import { create } from "@bufbuild/protobuf";
import { QuestionCategory } from "@viva/interview/v1/question_pb";
import { ReportSchema, ScoringBasis, type Report } from "@viva/interview/v1/report_pb";
import { Speaker, TurnSchema, type Turn } from "@viva/interview/v1/turn_pb";
import { duration } from "@/session/durations";

export type Language = "en" | "zh";
/** A word of the answer, ms. */
const WORD_MS = 300;

export const WORDS = {
  en: {
    role: "Backend engineer",
    question: "Tell me about a time when a service you were responsible for became slow. How did you find out why?",
    answer: "Last spring our order service took four seconds at noon. I looked at the traces first and saw that one query scanned the whole table. So I added an index on the customer and the date. It fell to eighty milliseconds.",
    followUp: "What would you have done if the index had not helped?",
    typed: "I would have moved the report to a replica.",
    points: ["Measured before changing anything", "Names the cause", "Compares before and after", "Told the team what was learnt"],
    rationale: "The cause and the change are told with figures; what came after is not.",
    summary: "You answer what is asked and back it with figures. Say at the end what you would do differently.",
    suggestions: ["End each story with what you learnt from it.", "Pause instead of saying “um” when you look for a word."],
    strength: "You measured before you changed anything.",
    weakness: "Nothing on how the team was told.",
    progress: "Your answers are deeper than last time.",
  },
  zh: {
    role: "后端工程师",
    question: "请讲一次你负责的服务突然变慢的经历。你是怎么找到原因的？",
    answer: "去年春天，我们的订单服务中午要四秒才返回。我先看了链路追踪，发现有一条查询扫描了整张表。于是我给客户和日期加了联合索引，耗时降到八十毫秒。",
    followUp: "如果加了索引还是慢，你会怎么办？",
    typed: "我会把报表查询移到只读副本上。",
    points: ["改动之前先测量", "说出原因", "比较改动前后的结果", "把经验告诉团队"],
    rationale: "原因和改动都有数据支持，但没有讲后续。",
    summary: "你的回答切题，而且有数据支持。结尾可以说说如果重来会怎么做。",
    suggestions: ["每个故事的结尾说一说学到了什么。", "想不起词时停顿一下，不必用“那个”填补。"],
    strength: "改动之前先做了测量。",
    weakness: "没有提到如何告诉团队。",
    progress: "这次的回答比上次更有深度。",
  },
} as const;

function wordsOf(text: string, language: Language): string[] {
  return language === "zh" ? [...text].filter((one) => /\p{L}/u.test(one)) : text.split(" ");
}

function turn(id: string, speaker: Speaker, text: string, language: Language, typed = false): Turn {
  const spoken = speaker === Speaker.CANDIDATE && !typed ? wordsOf(text, language) : [];
  const words = spoken.map((word, at) => ({ text: word, start: duration(at * WORD_MS), end: duration((at + 1) * WORD_MS) }));
  return create(TurnSchema, { id, speaker, text, words, typed, round: 1, questionId: "q" });
}

function turnsOf(language: Language): Turn[] {
  const words = WORDS[language];
  return [
    turn("i1", Speaker.INTERVIEWER, words.question, language),
    turn("c1", Speaker.CANDIDATE, words.answer, language),
    turn("i2", Speaker.INTERVIEWER, words.followUp, language),
    turn("c2", Speaker.CANDIDATE, words.typed, language, true),
  ];
}
export const TURNS: Readonly<Record<Language, Turn[]>> = { en: turnsOf("en"), zh: turnsOf("zh") };

const passage = (from: number, to: number) => ({ turnId: "c1", start: duration(from * WORD_MS), end: duration(to * WORD_MS), quote: "" });

export function reportOf(language: Language, score: number, empty: boolean, practice = false): Report {
  const words = WORDS[language];
  if (empty) return create(ReportSchema, { interviewId: "x", basis: ScoringBasis.RUBRIC_LEXICAL, duration: duration(60_000) });
  const typed = { turnId: "c2", start: duration(0), end: duration(0), quote: words.typed };
  const dimensions = [
    { name: "relevance", score: score + 10, rationale: words.rationale, evidence: [passage(0, 10)] },
    { name: "depth", score: score - 4, rationale: words.rationale, evidence: [passage(10, 25), typed] },
    { name: "clarity", score: score + 2, rationale: words.rationale, evidence: [passage(18, 30)] },
    { name: "delivery", score: score - 9, rationale: words.rationale, evidence: [] },
  ];
  return create(ReportSchema, {
    interviewId: "x",
    overallScore: score,
    basis: practice ? ScoringBasis.SPEECH : ScoringBasis.RUBRIC_EMBEDDING,
    summary: words.summary,
    duration: duration(540_000),
    dimensions,
    strengths: [words.strength],
    weaknesses: [words.weakness],
    suggestions: [...words.suggestions],
    progress: { interviewId: "y", changes: [{ name: "", before: score - 8, now: score }], statements: [words.progress] },
    questions: [
      {
        questionId: "q",
        round: 1,
        question: words.question,
        category: QuestionCategory.BEHAVIORAL,
        score,
        basis: ScoringBasis.RUBRIC_EMBEDDING,
        dimensions: dimensions.slice(0, 2),
        turnIds: ["c1", "c2"],
        keyPoints: [
          { keyPoint: words.points[0], coverage: 0.9, covered: true, evidence: passage(10, 25) },
          { keyPoint: words.points[1], coverage: 0.8, covered: true, evidence: passage(18, 30) },
          { keyPoint: words.points[2], coverage: 0.4, covered: false },
          { keyPoint: words.points[3], coverage: 0.1, covered: false, certain: true },
        ],
        story: { situation: 0.25, task: 0.05, action: 0.55, result: 0.15 },
        delivery: { words: 62, wordsPerMinute: 138, fillers: 3, pauses: 1, longestPause: duration(2300), fromSound: true },
      },
      { questionId: "q2", round: 2, question: words.followUp, category: QuestionCategory.TECHNICAL, basis: ScoringBasis.RUBRIC_EMBEDDING },
    ],
  });
}

export const QUESTIONS = Object.fromEntries(
  (["en", "zh"] as const).map((language) => [
    language,
    [
      { text: WORDS[language].question, category: QuestionCategory.BEHAVIORAL, keyPoints: [...WORDS[language].points] },
      { text: WORDS[language].followUp, category: QuestionCategory.TECHNICAL, keyPoints: [...WORDS[language].points.slice(0, 2)] },
    ],
  ]),
) as Record<Language, { text: string; category: QuestionCategory; keyPoints: string[] }[]>;
