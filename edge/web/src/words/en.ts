/** English: the words every other language has to have. One file an area. */
import shell from "@/words/en/shell";

export default { ...shell };
