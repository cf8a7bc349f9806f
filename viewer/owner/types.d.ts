/** Types of the owner's page; only for the type checker. */

type OwnerWords = typeof import("./words.en.json") & {
  states: Record<string, string>;
  reasons: Record<string, string>;
  viewers: { routes: Record<string, string>; states: Record<string, string>; health: Record<string, string> };
  recording: { states: Record<string, string> };
  live: { lamps: Record<string, string> };
  push: { states: Record<string, string> };
  settings: { origins: Record<string, string> };
  health: { levels: Record<string, string>; throttled: Record<string, string> };
};

type OwnerViewer = {
  id: string; name: string; link: string; address: string; player: string; since: number; state: string;
  route: string; quality: string;
  /** in percent */
  loss: number;
  /** in ms */
  round_trip: number | null;
  /** in kbit/s */
  estimate: number | null;
};
type OwnerPush = { name: string; server: string; state: string; reason: string; since: number | null };
type OwnerRecorder = { state: string; store: { files: number; bytes: number; free: number; problem: string } };
type OwnerMachine = {
  cpu: number; load: number | null; cores: number; memory: number | null; memory_free: number | null;
  memory_total: number | null; temperature: number | null; throttled: number | null; disk_free: number | null;
  disk_total: number | null; log: number;
};

type OwnerState = {
  columns: string[];
  viewers: Map<string, OwnerViewer>;
  stream: { state: string; reason?: string; since: number; sound: string; muted: boolean; lamp: boolean; limit: number } | null;
  source: { video: string; encoder: string; audio: string; width: number; height: number; fps: number; version: string } | null;
  load: { bitrate: number; bitrate_wanted: number; loop_lag_p99: number; overloaded: boolean } | null;
  push: OwnerPush[];
  recorder: OwnerRecorder | null;
  machine: OwnerMachine | null;
  check: { state: "running" | "done" | "failed"; results: OwnerCheckResult[] } | null;
  /** Counts the changes of the settings; null if there are none to change. */
  settings: number | null;
};

type OwnerSetting = {
  path: string; doc: string; allowed: string;
  /** as TOML */
  shown: string;
  default: string;
  origin: string; pending: boolean; value?: string | number | boolean; applies?: "now" | "start"; on_page?: boolean;
  input?: { type: "bool" | "choice" | "number" | "text"; choices?: (string | number | boolean)[]; min?: number; max?: number; step?: number | "any"; unit?: string };
};
type OwnerCheckResult = { what: string; level: "ok" | "warning" | "broken"; found: string; why: string; fix: string };
type OwnerLink = { id: string; name: string; made: number; expires: number; token: string };
type OwnerBrowser = { id: string; name: string; signed_in: number; seen: number; this: boolean };
type OwnerLogLine = { number: number; at: number; level: string; text: string };

type OwnerContext = {
  words: OwnerWords;
  locale: string;
  /** Does something for the owner, and shows the error if it fails. */
  act: <T>(action: () => Promise<T>) => Promise<T | null>;
  state: () => OwnerState;
  /** Whether the daemon is connected. */
  up: () => boolean;
};
