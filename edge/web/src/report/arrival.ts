/** Waits for a report that is being written. */
import type { GetReportResponse } from "@viva/interview/v1/interview_service_pb";
import { describe } from "@/wire/failures";

/** A report is there a few seconds after the end; asked more seldom the longer it takes. */
const FIRST_MS = 1_000;
const LONGEST_MS = 10_000;

/**
 * The answer of the first call that has one.
 *
 * @throws ConnectError What another failure than "not ready" was; AbortError of the signal.
 */
export async function arrival(
  read: () => Promise<GetReportResponse>,
  wait: (ms: number) => Promise<void>,
  waiting: () => void,
): Promise<GetReportResponse> {
  for (let pauseMs = FIRST_MS; ; pauseMs = Math.min(LONGEST_MS, pauseMs * 1.5)) {
    try {
      return await read();
    } catch (error) {
      const failure = describe(error);
      if (failure.kind !== "reportNotReady") throw error;
      waiting();
      await wait(failure.retryAfterMs ?? pauseMs);
    }
  }
}

/** Waits unless the page is left first. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
