/** The languages of the page. */

export const LANGUAGES = ["en", "zh"];

/**
 * Returns the first of the viewer's languages that the page supports, else English.
 * @param {readonly string[] | undefined} languages  `navigator.languages`
 */
export function language(languages) {
  const bases = (languages ?? []).map((tag) => tag.toLowerCase().split("-")[0]);
  return bases.find((base) => LANGUAGES.includes(base)) ?? "en";
}
