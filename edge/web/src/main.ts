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
createApp(App).use(createLocale()).use(createRoutes()).mount("#app");
