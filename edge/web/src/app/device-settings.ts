/** Settings that belong to this device. A browser that forbids storage gets the defaults. */

const PREFIX = "viva.";

export function readText(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

export function writeSetting(key: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Private windows may refuse: the setting then holds until the page is closed.
  }
}

export function readSetting<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
  const kept = readText(key);
  return allowed.find((value) => value === kept) ?? otherwise;
}
