/** What the contract refuses, told before it is sent. */
import type { Failure } from "@/wire/failures";

export const SHORTEST_PASSWORD = 10;

export function passwordFits(password: string): boolean {
  return [...password].length >= SHORTEST_PASSWORD;
}

/** Whether the server refused what stands in this field of the request. */
export function refuses(failure: Failure, field: string): boolean {
  return failure.kind === "badInput" && failure.fields.includes(field);
}

/** Whether it can be an address at all; whether it is one only a message shows. */
export function emailFits(email: string): boolean {
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/u.test(email.trim()) && email.trim().length <= 254;
}
