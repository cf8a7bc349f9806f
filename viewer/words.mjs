/** From a view to sentences; these are data, `words.*.json`. */

export const LANGUAGES = ["en", "zh"];

/** States whose words depend on the reason. */
const EXPLAINED = ["blocked", "reconnecting", "failed", "refused", "denied", "stopped", "unsupported"];

/**
 * The first of the viewer's languages that the page speaks, else English.
 * @param {readonly string[] | undefined} languages  `navigator.languages`
 */
export function language(languages) {
  const bases = (languages ?? []).map((tag) => tag.toLowerCase().split("-")[0]);
  return bases.find((base) => LANGUAGES.includes(base)) ?? "en";
}

/** Fetches a language, however often it takes. @param {string} locale */
export async function loadWords(locale) {
  try {
    const response = await fetch(new URL(`words.${locale}.json`, import.meta.url));
    if (response.ok) return await response.json();
  } catch {
    // Not reachable: below.
  }
  await new Promise((done) => setTimeout(done, 1000));
  return loadWords(locale);
}

/** `{name}` replaced by `values.name`. @param {string} text @param {Record<string, string | number>} values */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * What to say in a state: the reason's words if it has any, else its own.
 * @param {Words} words
 * @param {Pick<View, "state" | "reason" | "limit" | "up" | "retryIn">} view
 * @param {string} origin  of the page
 */
export function describe(words, { state, reason, limit, up, retryIn }, origin) {
  const own = words.states[state];
  const nameless = state === "full" && !limit;
  const said = nameless ? words.reasons.full : ((EXPLAINED.includes(state) && words.reasons[reason]) || own);
  const away = state === "reconnecting" && !up;
  return {
    title: fill(said.title, { limit }),
    detail: away ? "" : fill(said.detail || (state === "reconnecting" && own.detail) || "", { origin }),
    action: own.action ?? "",
    retry: retryIn !== null ? fill(words.retryIn, { seconds: retryIn }) : away ? words.retrying : "",
  };
}
