/** Every state of the room, for looking at: /states.html?state=speaking&language=zh. Not in the built page. */
import { createApp } from "vue";
import StatesPage from "@/dev/StatesPage.vue";
import { createLocale } from "@/app/locale";
import { createRoutes } from "@/app/routes";
import { applyTheme, readTheme } from "@/app/theme";
import "@/look/tokens.css";
import "@/look/base.css";
import "@/look/controls.css";

applyTheme(readTheme());
createApp(StatesPage).use(createLocale()).use(createRoutes()).mount("#app");
