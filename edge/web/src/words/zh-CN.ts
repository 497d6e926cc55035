import type en from "@/words/en";
import check from "@/words/zh-CN/check";
import failures from "@/words/zh-CN/failures";
import room from "@/words/zh-CN/room";
import shell from "@/words/zh-CN/shell";
import start from "@/words/zh-CN/start";

const words: typeof en = { ...shell, ...failures, ...start, ...check, ...room };
export default words;
