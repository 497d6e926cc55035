/** English: the words every other language has to have. One file an area. */
import check from "@/words/en/check";
import failures from "@/words/en/failures";
import room from "@/words/en/room";
import shell from "@/words/en/shell";
import start from "@/words/en/start";

export default { ...shell, ...failures, ...start, ...check, ...room };
