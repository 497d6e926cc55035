/** English: the words every other language has to have. One file an area. */
import account from "@/words/en/account";
import check from "@/words/en/check";
import failures from "@/words/en/failures";
import history from "@/words/en/history";
import questions from "@/words/en/questions";
import report from "@/words/en/report";
import room from "@/words/en/room";
import settings from "@/words/en/settings";
import shell from "@/words/en/shell";
import start from "@/words/en/start";

export default { ...shell, ...failures, ...start, ...check, ...room, ...report, ...history, ...account, ...settings, ...questions };
