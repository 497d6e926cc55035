/** What stands in an interviewer's ring. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  if (words.length === 0) return "V";
  const [first = "", second] = words;
  if (/^\p{Script=Han}/u.test(first)) {
    const characters = [...first];
    // A Chinese name is known by its last characters, what describes somebody by its first word.
    return (characters.length > 3 ? characters.slice(0, 2) : characters.slice(-2)).join("");
  }
  const letters = [first, second].filter((word) => word !== undefined).map((word) => [...word][0] ?? "");
  return letters.join("").toLocaleUpperCase();
}
