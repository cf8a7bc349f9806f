/** Types of the recordings; only for the type checker. Times in Unix seconds. */

/** A file (API: `recordings`). */
type Recording = {
  number: number; name: string; started: number; duration: number; size: number;
  kept: boolean; open: boolean; broken: boolean; clock_set: boolean;
  /** a timelapse plays fast, and is no part of the film */
  kind?: "video" | "timelapse";
};
type Span = { from: number; to: number };
/** A gap; null: before the first or after the last recording. */
type Gap = { from: number | null; to: number | null };
/** A moment in a file; `offset` in seconds. */
type Place = { recording: Recording; offset: number };

type RecordingsCommand =
  | "play" | "back" | "forward" | "backMinute" | "forwardMinute" | "frameBack" | "frameForward" | "first" | "last"
  | "markIn" | "markOut" | "clip" | "download" | "remove" | "mute" | "full" | "zoomIn" | "zoomOut" | "help";
/** Commands that have a button, but no key. */
type ButtonCommand =
  | "clear" | "share" | "whole" | "calendar" | "previousMonth" | "nextMonth" | "previousDay" | "nextDay" | "showDay" | "showKept" | "retry";

/** The answer of `GET api/recordings`; `now` is the machine's clock, `utc_offset` its time zone in seconds. */
type Listing = {
  recordings: Recording[]; gaps: Span[]; marks: number[]; change: boolean; now: number; utc_offset?: number;
  storage?: { bytes: number; files: number; free: number; keep_days: number; keep_bytes: number; keep_free: number };
  recorder?: { mode: string; state: RecorderState; problem: string };
};
type RecorderState = "off" | "waiting" | "recording" | "failed";
/** In and out mark. */
type PartMarks = { in: number | null; out: number | null };

/** `ended`: there is no more; `atEdge`: because it is being recorded. */
type FilmPlayerPorts = {
  url: (recording: Recording) => string;
  changed: () => void;
  moved: () => void;
  crossed: (gap: Span) => void;
  ended: (atEdge: boolean) => void;
  failed: (recording: Recording) => void;
};
/** Positions as fractions of the width. */
type GesturePorts = {
  hover: (fraction: number) => void;
  leave: () => void;
  choose: (fraction: number) => void;
  zoom: (factor: number, fraction: number) => void;
  pan: (fraction: number) => void;
};

type ShelfPorts = {
  picture: (recording: Recording) => string;
  download: (recording: Recording) => string;
  playlist: (day: Span) => string;
  open: (recording: Recording) => void;
  keep: (recording: Recording) => void;
  remove: (recording: Recording) => void;
};

/** A file `recordings/words.*.json`; `{…}` in its texts is filled in. */
type RecordingsWords = Record<"storage" | "day" | "player" | "timeline" | "cut" | "list" | "ask" | "share" | "help" | "commands", Record<string, string>> & {
  title: string; live: string; zone: string; unsure: string;
  recorder: Record<RecorderState, string>;
  notice: Record<NoticeName, Sentence> & Record<"token" | "enter" | "retry", string>;
};
type NoticeName = "loading" | "denied" | "wrong" | "locked" | "off" | "empty" | "unreachable" | "error";
type RenderedRow = { element: HTMLElement; version: string };
