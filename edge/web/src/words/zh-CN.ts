import type en from "@/words/en";
import shell from "@/words/zh-CN/shell";

const words: typeof en = { ...shell };
export default words;
