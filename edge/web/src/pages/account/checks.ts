/** What the contract refuses, told before it is sent. */
import type { Failure } from "@/wire/failures";

export const SHORTEST_PASSWORD = 10;

export function passwordFits(password: string): boolean {
  return [...password].length >= SHORTEST_PASSWORD;
}

/** Whether the server refused the password that was chosen: others would guess it. */
export function isGuessable(failure: Failure): boolean {
  return failure.kind === "badInput" && failure.fields.some((field) => field.endsWith("password"));
}

/** Whether it can be an address at all; whether it is one only a message shows. */
export function emailFits(email: string): boolean {
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/u.test(email.trim()) && email.trim().length <= 254;
}
