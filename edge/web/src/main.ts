import { createApp } from "vue";
import App from "@/app/App.vue";
import { createLocale } from "@/app/locale";
import { applyMotion, readMotion } from "@/app/motion";
import { createRoutes } from "@/app/routes";
import { applyTheme, readTheme } from "@/app/theme";
import "@/look/tokens.css";
import "@/look/base.css";
import "@/look/controls.css";

applyTheme(readTheme());
applyMotion(readMotion());
if (isSecureContext) createApp(App).use(createLocale()).use(createRoutes()).mount("#app");
// Browsers then give neither a microphone nor what the page names its requests by.
else void import("@/pages/insecure/InsecurePage.vue").then(({ default: page }) => createApp(page).use(createLocale()).mount("#app"));
