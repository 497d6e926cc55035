/** The settings as the page shows them, and as an account keeps them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AccountSettingsSchema, Motion, Theme as KeptTheme, type AccountSettings } from "@viva/account/v1/account_pb";
import { Patience } from "@viva/interview/v1/interview_pb";
import { LOCALES, type Locale } from "@/app/locale";
import { MOTIONS, type MotionChoice } from "@/app/motion";
import { THEMES, type Theme } from "@/app/theme";
import { duration, milliseconds } from "@/session/durations";

export const LANGUAGES = ["en", "zh"] as const;
export const CAPTIONS = ["on", "off"] as const;
export const PATIENCES = ["brisk", "normal", "patient"] as const;
export const RETENTIONS = ["server", "month", "year"] as const;

export interface Choices {
  locale: Locale;
  language: (typeof LANGUAGES)[number];
  theme: Theme;
  captions: (typeof CAPTIONS)[number];
  motion: MotionChoice;
  patience: (typeof PATIENCES)[number];
  retention: (typeof RETENTIONS)[number];
}

/** Each choice's field in the account's settings. */
export const FIELDS: Readonly<Record<keyof Choices, string>> = {
  locale: "interface_language",
  language: "interview_language",
  theme: "theme",
  captions: "captions",
  motion: "motion",
  patience: "patience",
  retention: "retention",
};

export const VALUES: { readonly [K in keyof Choices]: readonly Choices[K][] } = {
  locale: LOCALES,
  language: LANGUAGES,
  theme: THEMES,
  captions: CAPTIONS,
  motion: MOTIONS,
  patience: PATIENCES,
  retention: RETENTIONS,
};

const DAY_MS = 86_400_000;
const DAYS = { month: 30, year: 365 } as const;
const THEME_OF = { system: KeptTheme.UNSPECIFIED, light: KeptTheme.LIGHT, dark: KeptTheme.DARK } as const;
const MOTION_OF = { system: Motion.UNSPECIFIED, full: Motion.FULL, reduced: Motion.REDUCED } as const;
const PATIENCE_OF = { brisk: Patience.BRISK, normal: Patience.NORMAL, patient: Patience.PATIENT } as const;

export function toAccount(choices: Choices): MessageInitShape<typeof AccountSettingsSchema> {
  return {
    interfaceLanguage: choices.locale,
    interviewLanguage: choices.language,
    theme: THEME_OF[choices.theme],
    captions: choices.captions === "on",
    motion: MOTION_OF[choices.motion],
    patience: PATIENCE_OF[choices.patience],
    ...(choices.retention === "server" ? {} : { retention: duration(DAYS[choices.retention] * DAY_MS) }),
  };
}

function keyOf<K extends string, V>(map: Readonly<Record<K, V>>, value: V, otherwise: K): K {
  return (Object.keys(map) as K[]).find((key) => map[key] === value) ?? otherwise;
}

/** What the account keeps that no device does: patience and retention. */
export function fromAccount(settings: AccountSettings | undefined): Pick<Choices, "patience" | "retention"> {
  const days = settings?.retention ? milliseconds(settings.retention) / DAY_MS : undefined;
  return {
    patience: keyOf(PATIENCE_OF, settings?.patience as Patience, "normal"),
    retention: days === undefined ? "server" : days <= DAYS.month ? "month" : "year",
  };
}
