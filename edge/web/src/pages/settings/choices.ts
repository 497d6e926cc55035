/** The settings as the page shows them, and as an account keeps them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AccountSettingsSchema, Motion, Theme as KeptTheme, type AccountSettings } from "@viva/account/v1/account_pb";
import { LOCALES, type Locale } from "@/app/locale";
import { MOTIONS, type MotionChoice } from "@/app/motion";
import { chosenPatience, PATIENCE_OF, PATIENCES, type PatienceChoice } from "@/app/patience";
import { THEMES, type Theme } from "@/app/theme";
import { duration, milliseconds } from "@/session/durations";

export const LANGUAGES = ["en", "zh"] as const;
export const CAPTIONS = ["on", "off"] as const;
export const RETENTIONS = ["server", "month", "year"] as const;

export interface Choices {
  locale: Locale;
  language: (typeof LANGUAGES)[number];
  theme: Theme;
  captions: (typeof CAPTIONS)[number];
  motion: MotionChoice;
  patience: PatienceChoice;
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

/** What an account says for every device: patience, where it was chosen, and retention. */
export function fromAccount(settings: AccountSettings | undefined): Partial<Pick<Choices, "patience">> & Pick<Choices, "retention"> {
  const days = settings?.retention ? milliseconds(settings.retention) / DAY_MS : undefined;
  const patience = chosenPatience(settings);
  return {
    ...(patience ? { patience } : {}),
    retention: days === undefined ? "server" : days <= DAYS.month ? "month" : "year",
  };
}
