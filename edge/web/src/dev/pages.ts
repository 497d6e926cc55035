/**
 * The pages around the room against recorded answers, for looking at:
 * /pages.html?page=/report/x&answers=full. Not in the built page.
 */
import { createRouterTransport, createClient } from "@connectrpc/connect";
import { createApp } from "vue";
import App from "@/app/App.vue";
import { createLocale } from "@/app/locale";
import { applyMotion, readMotion } from "@/app/motion";
import { createRoutes } from "@/app/routes";
import { applyTheme, readTheme } from "@/app/theme";
import { answering, ANSWERS, type Answers } from "@/dev/answers";
import { Credentials } from "@/wire/credentials";
import { useWire } from "@/wire/clients";
import { AccountService } from "@viva/account/v1/account_service_pb";
import { InterviewService } from "@viva/interview/v1/interview_service_pb";
import { PersonaService } from "@viva/interview/v1/persona_service_pb";
import { QuestionService } from "@viva/interview/v1/question_service_pb";
import "@/look/tokens.css";
import "@/look/base.css";
import "@/look/controls.css";

const asked = new URLSearchParams(location.search);
const answers: Answers = ANSWERS.find((one) => one === asked.get("answers")) ?? "full";
const language = localStorage.getItem("viva.locale") === "zh-CN" ? "zh" : "en";
history.replaceState(null, "", asked.get("page") ?? "/");

const transport = createRouterTransport(answering(language, answers));
const accounts = createClient(AccountService, transport);
const credentials = new Credentials(accounts, {
  now: () => Date.now(),
  alone: (work) => work(),
  remember: () => undefined,
  remembered: () => answers !== "nobody",
});
const interviews = createClient(InterviewService, transport);
useWire({
  credentials,
  accounts,
  interviews,
  conversation: interviews,
  personas: createClient(PersonaService, transport),
  questions: createClient(QuestionService, transport),
});

applyTheme(readTheme());
applyMotion(readMotion());
createApp(App).use(createLocale()).use(createRoutes()).mount("#app");
