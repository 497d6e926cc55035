/** Light, dark, or as the system says; kept on this device. */
import { readonly, ref, type Ref } from "vue";
import { readSetting, writeSetting } from "@/app/device-settings";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "theme";
const current = ref<Theme>("system");

export function readTheme(): Theme {
  return readSetting(KEY, THEMES, "system");
}

export function applyTheme(theme: Theme): void {
  current.value = theme;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function useTheme(): { theme: Readonly<Ref<Theme>>; setTheme: (theme: Theme) => void } {
  return {
    theme: readonly(current),
    setTheme(theme) {
      writeSetting(KEY, theme);
      applyTheme(theme);
    },
  };
}
