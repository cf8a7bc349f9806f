/** What buttons and keys do. */

/** Seconds of a short and a long jump. */
const [JUMP, LONG_JUMP] = [10, 60];

/**
 * Returns the actions by the name of their command (`data-command`, `keys.mjs`).
 * @param {import("./recordings-app.mjs").RecordingsApp} app
 * @returns {Record<RecordingsCommand | ButtonCommand, () => unknown>}
 */
export function commandsOf(app) {
  const { player, screen, timeline, picker, selection, actions, shelf } = app;
  return {
    play: () => (player.time === null ? app.seek(app.span.from) : player.toggle()),
    back: () => player.move(-JUMP), forward: () => player.move(JUMP),
    backMinute: () => player.move(-LONG_JUMP), forwardMinute: () => player.move(LONG_JUMP),
    frameBack: () => player.step(-1), frameForward: () => player.step(1),
    first: () => player.seek(app.span.from), last: () => player.seek(lastOf(app)),
    markIn: () => selection.mark("in", player.filmTime), markOut: () => selection.mark("out", player.filmTime), clear: () => selection.clear(),
    clip: () => saveClip(app), download: () => download(app),
    share: () => actions.share(selection.span, player.recording),
    remove: () => app.listing?.change && player.recording && actions.remove(player.recording),
    mute: () => player.set("muted", !player.active.video.muted), full: () => screen.toggleFull(),
    zoomIn: () => timeline.zoomIn(), zoomOut: () => timeline.zoom(), whole: () => timeline.wholeDay(),
    help: () => /** @type {HTMLDialogElement} */ (app.part("dialog.help")).showModal(),
    calendar: () => picker.open(), previousMonth: () => picker.turn(-1), nextMonth: () => picker.turn(1),
    previousDay: () => goTo(app, picker.neighbour(-1)), nextDay: () => goTo(app, picker.neighbour(1)),
    showDay: () => shelf.choose("day"), showKept: () => shelf.choose("kept"),
    retry: () => app.refresh(),
  };
}

/** @param {import("./recordings-app.mjs").RecordingsApp} app */
function lastOf({ player, span }) {
  const end = player.film.between(span.from, span.to).reduce((time, { started, duration }) => Math.max(time, started + duration), span.from);
  return Math.min(end, span.to) - 0.5;
}

/** @param {import("./recordings-app.mjs").RecordingsApp} app */
function saveClip({ selection, actions, screen, words, listing }) {
  if (!listing?.change) return;
  if (selection.span) actions.saveClip(selection.span);
  else screen.tell(words?.cut.hint ?? "");
}

/** Downloads the marked part, else the recording that plays. @param {import("./recordings-app.mjs").RecordingsApp} app */
function download({ selection, player, api }) {
  const href = selection.span ? api.exported(selection.span) : player.recording && api.download(player.recording);
  if (href) Object.assign(document.createElement("a"), { href, download: "" }).click();
}

/** @param {import("./recordings-app.mjs").RecordingsApp} app @param {string | null} day */
function goTo(app, day) {
  if (day) app.chooseDay(day);
}
