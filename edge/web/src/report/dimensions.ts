/** The names of what is scored, in the page's language. */
const KNOWN = ["relevance", "content", "depth", "clarity", "structure", "delivery", "fluency", "grammar", "vocabulary"];

/** A dimension that the page doesn't know yet is called as the server calls it. */
export function dimensionName(name: string, t: (key: string) => string): string {
  return KNOWN.includes(name) ? t(`report.dimension.${name}`) : name;
}
