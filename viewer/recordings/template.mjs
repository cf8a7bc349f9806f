/** The HTML of `<recordings-view>`. */

/** Paths of the icons, in a box of 24 by 24. @type {Readonly<Record<string, string>>} */
const ICONS = {
  play: "M8.5 5.5v13l10.5-6.5z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  back: "M11 6.5 5 12l6 5.5M19 6.5 13 12l6 5.5",
  forward: "m13 6.5 6 5.5-6 5.5M5 6.5l6 5.5-6 5.5",
  previous: "m14.5 5.5-6.5 6.5 6.5 6.5",
  next: "m9.5 5.5 6.5 6.5-6.5 6.5",
  calendar: "M5.5 6h13A1.5 1.5 0 0 1 20 7.5v11a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 18.5v-11A1.5 1.5 0 0 1 5.5 6zM8 3.5V7m8-3.5V7M4 10.5h16",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  muted: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5m0-5-5 5",
  full: "M4 9V5.5A1.5 1.5 0 0 1 5.5 4H9m6 0h3.5A1.5 1.5 0 0 1 20 5.5V9m0 6v3.5a1.5 1.5 0 0 1-1.5 1.5H15m-6 0H5.5A1.5 1.5 0 0 1 4 18.5V15",
  help: "M4.5 6h15A1.5 1.5 0 0 1 21 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6zM7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M8.5 14h7",
  plus: "M12 6v12M6 12h12",
  minus: "M6 12h12",
  whole: "M4 7v10M20 7v10M7.5 12h9M10 9l-3 3 3 3M14 9l3 3-3 3",
  in: "M14 5H9v14h5M12.5 12H20",
  out: "M10 5h5v14h-5M11.5 12H4",
  clear: "m7 7 10 10M17 7 7 17",
  clip: "M6 4.5h12v15.5l-6-4-6 4z",
  download: "M12 4.5v10.5m-4.5-4L12 15.5l4.5-4.5M5 19.5h14",
  share: "M12 15V4.5M8 8l4-4 4 4M6.5 12v6.5A1.5 1.5 0 0 0 8 20h8a1.5 1.5 0 0 0 1.5-1.5V12",
  star: "m12 4.5 2.3 4.9 5.2.7-3.8 3.7.9 5.3-4.6-2.6-4.6 2.6.9-5.3-3.8-3.7 5.2-.7z",
  remove: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7M10.3 10.5v5.5m3.4-5.5v5.5",
  broken: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17h.01",
  live: "M12 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM8.2 8.2a5.4 5.4 0 0 0 0 7.6m7.6-7.6a5.4 5.4 0 0 1 0 7.6M5.4 5.4a9.3 9.3 0 0 0 0 13.2M18.6 5.4a9.3 9.3 0 0 1 0 13.2",
  film: "M5.5 5h13A1.5 1.5 0 0 1 20 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5v-11A1.5 1.5 0 0 1 5.5 5zM8 5v14m8-14v14M4 9.5h4m-4 5h4m8-5h4m-4 5h4",
};

/** @param {string} name */
export function icon(name) {
  return `<svg aria-hidden="true" viewBox="0 0 24 24" class="icon-${name}"><path d="${ICONS[name]}"/></svg>`;
}

/** @param {string} name  of the command @param {string} icons  separated by spaces */
const button = (name, icons) => `<button type="button" class="round" data-command="${name}">${icons.split(" ").map(icon).join("")}</button>`;
/** @param {string} name @param {string} picture */
const action = (name, picture) => `<button type="button" class="wide" data-command="${name}">${icon(picture)}<span></span></button>`;

const DAYS = `
    <nav class="days">
      ${button("previousDay", "previous")}
      <button type="button" class="wide day" data-command="calendar">${icon("calendar")}<span></span></button>
      ${button("nextDay", "next")}
    </nav>`;

const WATCH = `
  <section class="watch">
    <div class="screen" data-state="idle">
      <video muted playsinline preload="auto"></video><video muted playsinline preload="auto"></video>
      <p class="cover"></p>
      <button type="button" class="large" data-command="play" tabindex="-1" aria-hidden="true">${icon("play")}</button>
      <p class="edge" hidden><span></span> <a class="wide" hidden>${icon("live")}<span></span></a></p>
      <p class="toast" role="status"></p>
    </div>
    <div class="transport" role="toolbar">
      ${button("play", "play pause")}${button("back", "back")}${button("forward", "forward")}
      <label class="speed"><span class="unseen"></span><select><option>0.5</option><option selected>1</option><option>2</option><option>4</option><option>8</option></select></label>
      ${button("mute", "sound muted")}${button("help", "help")}${button("full", "full")}
    </div>
    <div class="timeline">
      <div class="axis" role="slider" tabindex="0" aria-orientation="horizontal">
        <div class="ticks" aria-hidden="true"></div>
        <div class="track" aria-hidden="true"><div class="gaps"></div><div class="spans"></div><div class="clips"></div><div class="chosen"></div></div>
        <div class="edges" aria-hidden="true"></div><div class="marks" aria-hidden="true"></div>
        <i class="cursor" hidden></i><i class="playhead" hidden></i>
      </div>
      <div class="preview" hidden aria-hidden="true"><img alt=""><span></span></div>
      <div class="overview" hidden aria-hidden="true"><div></div><b></b></div>
      <div class="zoom"><p class="clock" aria-hidden="true"></p>${button("zoomOut", "minus")}${button("whole", "whole")}${button("zoomIn", "plus")}</div>
    </div>
    <div class="cut" role="group">
      ${action("markIn", "in")}${action("markOut", "out")}
      <p class="part"></p>
      ${button("clear", "clear")}
      ${action("clip", "clip")}${action("download", "download")}${action("share", "share")}
    </div>
    <ul class="flags"></ul>
  </section>`;

const SHELF = `
  <section class="shelf">
    <div class="tabs" role="tablist">
      <button type="button" role="tab" data-command="showDay" aria-selected="true"></button><button type="button" role="tab" data-command="showKept" aria-selected="false"></button>
      <span class="total"></span>
    </div>
    <div class="scroller" role="tabpanel"><ul class="list"></ul><p class="none" hidden></p></div>
    <p class="more"><span class="zone"></span> <a class="playlist" hidden></a></p>
  </section>`;

const DIALOGS = `
  <dialog class="box calendar"><div class="month">${button("previousMonth", "previous")}<h3></h3>${button("nextMonth", "next")}</div><table><thead><tr></tr></thead><tbody></tbody></table></dialog>
  <dialog class="box ask" role="alertdialog"><h3></h3><p></p><form method="dialog"><button value="no"></button><button value="yes" class="danger"></button></form></dialog>
  <dialog class="box share"><h3></h3><p class="scope"></p>
    <form><label><span></span> <select></select></label><button></button></form>
    <div class="made" hidden><input readonly><p class="until"></p><div><button type="button" data-share="copy"></button><button type="button" data-share="send"></button></div></div>
    <p class="problem" role="status"></p>
    <form method="dialog"><button class="plain"></button></form></dialog>
  <dialog class="box help"><h3></h3><dl></dl><form method="dialog"><button></button></form></dialog>`;

/** @param {number} level  of the heading */
export function template(level) {
  return `
  <header class="head">
    <a class="live" hidden>${icon("previous")}<span></span></a>
    <h${level} class="title"></h${level}>
    <p class="recorder" hidden><i></i><span></span></p>
    ${DAYS}
    <p class="storage"></p>
  </header>
  <p class="banner" role="status" hidden></p>
  <div class="body" hidden>${WATCH}${SHELF}</div>
  <section class="notice" role="status">
    <div class="orb" aria-hidden="true">${icon("film")}</div>
    <h2></h2><p class="detail"></p>
    <form class="token" hidden><input type="text" autocomplete="username" value="owner" hidden><input class="secret" type="password" autocomplete="current-password" autocapitalize="off" spellcheck="false" required><button></button></form>
    <button type="button" class="action" data-command="retry" hidden></button>
  </section>
  ${DIALOGS}`;
}
