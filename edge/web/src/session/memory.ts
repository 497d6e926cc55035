/** What a page that is loaded anew must know of the room it was in; of this tab alone. */

export interface Remembered {
  token: string;
  seq: bigint;
}

const PREFIX = "viva.room.";

export function recall(interviewId: string): Remembered | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PREFIX + interviewId) ?? "null") as Record<string, unknown> | null;
    if (typeof kept?.token !== "string" || typeof kept.seq !== "string") return undefined;
    return { token: kept.token, seq: BigInt(kept.seq) };
  } catch {
    return undefined;
  }
}

export function remember(interviewId: string, what: Remembered): void {
  try {
    sessionStorage.setItem(PREFIX + interviewId, JSON.stringify({ ...what, seq: what.seq.toString() }));
  } catch {
    // Without storage a reload joins from the beginning of what the server keeps.
  }
}

export function forget(interviewId: string): void {
  try {
    sessionStorage.removeItem(PREFIX + interviewId);
  } catch {
    // Nothing was kept.
  }
}
