/** What stands in an interviewer's ring. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  if (words.length === 0) return "V";
  const [first = "", second] = words;
  if (/^\p{Script=Han}/u.test(first)) {
    const characters = [...first];
    if (characters.length <= 3) return characters.slice(-2).join(""); // a name is known by its last
    // What describes somebody: by what tells them from the others, else by its first word.
    return characters.find((one) => one === "男" || one === "女") ?? characters.slice(0, 2).join("");
  }
  const letters = [first, second].filter((word) => word !== undefined).map((word) => [...word][0] ?? "");
  return letters.join("").toLocaleUpperCase();
}
