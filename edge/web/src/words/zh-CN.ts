import type en from "@/words/en";
import account from "@/words/zh-CN/account";
import check from "@/words/zh-CN/check";
import failures from "@/words/zh-CN/failures";
import history from "@/words/zh-CN/history";
import questions from "@/words/zh-CN/questions";
import report from "@/words/zh-CN/report";
import room from "@/words/zh-CN/room";
import settings from "@/words/zh-CN/settings";
import shell from "@/words/zh-CN/shell";
import start from "@/words/zh-CN/start";

const words: typeof en = { ...shell, ...failures, ...start, ...check, ...room, ...report, ...history, ...account, ...settings, ...questions };
export default words;
