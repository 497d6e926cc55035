/** How long a pause the interviewer bears, as it was chosen in the settings; kept on this device. */
import type { AccountSettings } from "@viva/account/v1/account_pb";
import { Patience } from "@viva/interview/v1/interview_pb";
import { readSetting, writeSetting } from "@/app/device-settings";

export const PATIENCES = ["brisk", "normal", "patient"] as const;
export type PatienceChoice = (typeof PATIENCES)[number];
export const PATIENCE_OF = { brisk: Patience.BRISK, normal: Patience.NORMAL, patient: Patience.PATIENT } as const;

const KEY = "patience";

/** What an account says; undefined where nobody has chosen. */
export function chosenPatience(settings: AccountSettings | undefined): PatienceChoice | undefined {
  return PATIENCES.find((one) => PATIENCE_OF[one] === settings?.patience);
}

export function readPatience(): PatienceChoice {
  return readSetting(KEY, PATIENCES, "normal");
}

export function keepPatience(chosen: PatienceChoice): void {
  writeSetting(KEY, chosen);
}
