/** What was typed, as the contract takes it. */

const MOST_TOPICS = 20;
const LONGEST_TOPIC = 100;
/** A question, its answer and a follow-up; greeting and goodbye. */
const MINUTES_A_ROUND = 3;
const MINUTES_AROUND = 1;

/** The topics of a list; `fit`: whether they are few and short enough. */
export function topicsOf(typed: string): { topics: string[]; fit: boolean } {
  const topics = [...new Set(typed.split(/[,，、;；\n]/u).map((topic) => topic.trim()))].filter(Boolean);
  return { topics, fit: topics.length <= MOST_TOPICS && topics.every((topic) => [...topic].length <= LONGEST_TOPIC) };
}

export function minutesOf(rounds: number): number {
  return rounds * MINUTES_A_ROUND + MINUTES_AROUND;
}
