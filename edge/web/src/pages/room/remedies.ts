import { Remedy } from "@viva/interview/v1/conversation_pb";

export type RemedyKind = "readText" | "typeAnswers" | "carryOn" | "repeatAnswer" | "store";

/** What to tell for the services that work worse; each thing once, the most pressing first. */
export function remediesOf(degraded: Readonly<Record<string, Remedy>>): RemedyKind[] {
  const found = new Set<RemedyKind>();
  for (const [service, remedy] of Object.entries(degraded)) {
    if (service === "store") found.add("store");
    else if (remedy === Remedy.TYPE_ANSWERS) found.add("typeAnswers");
    else if (remedy === Remedy.REPEAT_ANSWER) found.add("repeatAnswer");
    else if (remedy === Remedy.READ_TEXT) found.add("readText");
    else if (remedy === Remedy.CARRY_ON) found.add("carryOn");
  }
  const order: RemedyKind[] = ["typeAnswers", "repeatAnswer", "readText", "store", "carryOn"];
  return order.filter((kind) => found.has(kind));
}
