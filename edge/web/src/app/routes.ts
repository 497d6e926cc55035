/** Every page of the application, and what the header shows of them. */
import { createRouter, createWebHistory, type Router, type RouteRecordRaw } from "vue-router";

declare module "vue-router" {
  interface RouteMeta {
    /** The key of the page's name in the words: document title and header. */
    title: string;
    /** Whether the header links to it. */
    nav?: boolean;
    /** The page stands alone, without header and footer: the room. */
    bare?: boolean;
  }
}

export const PAGES: RouteRecordRaw[] = [
  { path: "/", name: "start", component: () => import("@/pages/start/StartPage.vue"), meta: { title: "pages.start", nav: true } },
  { path: "/check/:id", name: "check", component: () => import("@/pages/check/CheckPage.vue"), meta: { title: "pages.check" } },
  { path: "/room/:id", name: "room", component: () => import("@/pages/room/RoomPage.vue"), meta: { title: "pages.room", bare: true } },
  { path: "/report/:id", name: "report", component: () => import("@/pages/report/ReportPage.vue"), meta: { title: "pages.report" } },
  { path: "/history", name: "history", component: () => import("@/pages/history/HistoryPage.vue"), meta: { title: "pages.history", nav: true } },
  { path: "/questions", name: "questions", component: () => import("@/pages/questions/QuestionsPage.vue"), meta: { title: "pages.questions", nav: true } },
  { path: "/settings", name: "settings", component: () => import("@/pages/settings/SettingsPage.vue"), meta: { title: "pages.settings", nav: true } },
  { path: "/account", name: "account", component: () => import("@/pages/account/AccountPage.vue"), meta: { title: "pages.account", nav: true } },
  { path: "/reset", name: "reset", component: () => import("@/pages/account/ResetPage.vue"), meta: { title: "pages.reset" } },
  { path: "/:anything(.*)*", name: "missing", component: () => import("@/pages/missing/MissingPage.vue"), meta: { title: "pages.missing" } },
];

export function createRoutes(): Router {
  const router = createRouter({
    history: createWebHistory(),
    routes: PAGES,
    scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  });
  return router;
}
