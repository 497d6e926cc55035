/** Movement as the device has it, all of it, or as little as can be; kept on this device. */
import { readSetting, writeSetting } from "@/app/device-settings";

export const MOTIONS = ["system", "full", "reduced"] as const;
export type MotionChoice = (typeof MOTIONS)[number];

const KEY = "motion";

export function readMotion(): MotionChoice {
  return readSetting(KEY, MOTIONS, "system");
}

export function applyMotion(motion: MotionChoice): void {
  if (motion === "system") delete document.documentElement.dataset.motion;
  else document.documentElement.dataset.motion = motion;
}

export function setMotion(motion: MotionChoice): void {
  writeSetting(KEY, motion);
  applyMotion(motion);
}
