/** How long a pause the interviewer bears, as it was chosen in the settings; kept on this device. */
import { Patience } from "@viva/interview/v1/interview_pb";
import { readSetting, writeSetting } from "@/app/device-settings";

export const PATIENCES = ["brisk", "normal", "patient"] as const;
export type PatienceChoice = (typeof PATIENCES)[number];
export const PATIENCE_OF = { brisk: Patience.BRISK, normal: Patience.NORMAL, patient: Patience.PATIENT } as const;

const KEY = "patience";

export function readPatience(): PatienceChoice {
  return readSetting(KEY, PATIENCES, "normal");
}

export function keepPatience(chosen: PatienceChoice): void {
  writeSetting(KEY, chosen);
}
