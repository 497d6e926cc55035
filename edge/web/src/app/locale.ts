/** The language of the page, which is not the language of an interview. */
import { computed, type WritableComputedRef } from "vue";
import { createI18n, useI18n } from "vue-i18n";
import { readText, writeSetting } from "@/app/device-settings";
import en from "@/words/en";

export const LOCALES = ["en", "zh-CN"] as const;
export type Locale = (typeof LOCALES)[number];
export type Words = typeof en;

const KEY = "locale";

/** The first language of the browser's that the page speaks. */
export function preferredLocale(kept: string | null, wanted: readonly string[]): Locale {
  const known = LOCALES.find((locale) => locale === kept);
  if (known) return known;
  for (const tag of wanted) {
    if (tag.toLowerCase().startsWith("zh")) return "zh-CN";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

export function createLocale() {
  const i18n = createI18n({
    legacy: false,
    locale: "en",
    fallbackLocale: "en",
    messages: { en } as Partial<Record<Locale, Words>> & { en: Words },
  });
  void speak(i18n.global, preferredLocale(readText(KEY), navigator.languages));
  return i18n;
}

interface Speaking {
  locale: { value: string };
  setLocaleMessage: (locale: Locale, words: Words) => void;
}

/** Loads the words of a language, once, and shows them. */
async function speak(global: unknown, locale: Locale): Promise<void> {
  const speaking = global as Speaking;
  if (locale === "zh-CN") {
    const { default: words } = await import("@/words/zh-CN");
    speaking.setLocaleMessage(locale, words);
  }
  speaking.locale.value = locale;
  document.documentElement.lang = locale;
}

export function useLocale(): {
  t: ReturnType<typeof useI18n>["t"];
  locale: WritableComputedRef<Locale>;
} {
  const i18n = useI18n();
  const locale = computed<Locale>({
    get: () => LOCALES.find((known) => known === i18n.locale.value) ?? "en",
    set: (chosen) => {
      writeSetting(KEY, chosen);
      void speak(i18n, chosen);
    },
  });
  return { t: i18n.t, locale };
}
