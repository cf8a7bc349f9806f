/** Types shared by the page's modules; only for the type checker. */

/* The connection table */

type State =
  | "connecting" | "standby" | "starting" | "live" | "blocked" | "unstable" | "reconnecting" | "noroute"
  | "failed" | "unreachable" | "refused" | "full" | "denied" | "stopped" | "unsupported";

type ConnectionEvent =
  | "page:start" | "page:try" | "page:retry" | "page:wake" | "page:token" | "page:tap" | "page:unplayable"
  | "signal:lost" | "signal:unanswered" | "signal:silent" | "signal:full" | "signal:busy" | "signal:denied" | "signal:refused" | "signal:stopped"
  | "stream:offline" | "stream:starting" | "stream:live" | "stream:stopping" | "stream:failed"
  | "peer:new" | "peer:failed" | "peer:failed-again" | "peer:refused" | "peer:refused-again"
  | "play:refused" | "play:paused"
  | "frame:new" | Finding;

/** Findings of `FrameWatch`. */
type Finding = "frame:weak" | "frame:flat" | "frame:silent" | "frame:gone";

type Action =
  | "connect" | "retry-soon" | "retry-later" | "retry-slowly" | "retry-now" | "leave" | "reload"
  | "restart-ice" | "restart-frames" | "restart-decoder" | "keyframe" | "probe" | "play" | "drop-picture";

type Row = Readonly<Partial<Record<ConnectionEvent, readonly [State, ...Action[]]>>>;

/* Messages (PROTOCOL.md) */

type StreamReason = "no-camera" | "camera-busy" | "camera-lost" | "camera-stalled" | "encoder" | "file" | "internal";
type ByeReason = "stopped" | "no-answer" | "lost" | "replaced";
type ErrorCode =
  | "bad-message" | "bad-answer" | "no-hello" | "token-missing" | "token-wrong" | "token-expired" | "full" | "too-many"
  | "internal";
type RestartReason = "ice-failed" | "no-frames" | "decoder";
type ViewerMessage = "hello" | "answer" | "candidate" | "heartbeat" | "restart" | "keyframe" | "quality" | "media" | "bye";

type Outgoing = { type: ViewerMessage } & Record<string, unknown>;

/** A video RTP timestamp and its capture time, in ms of the daemon's clock. */
type CaptureClock = { rtp: number; at: number };
/** `quality` is absent where there is only one rendition. */
type Stream = { state: string; reason?: StreamReason; since: number; sound: string; quality?: Quality };
type Quality = "full" | "small";
type QualityPreference = "auto" | Quality;

/** The way without UDP. */
type Media = { url: string; ticket: string };

type Welcome = {
  type: "welcome"; session: string; resume: string; resumed: boolean; stream: Stream; viewers: number;
  /** seconds */
  heartbeat: { idle: number };
  media?: Media;
};
type Offer = { type: "offer"; id: number; sdp: string; ice_servers: RTCIceServer[]; clock?: CaptureClock };
type Heartbeat = { type: "heartbeat"; t?: number; now: number; ask?: boolean };
type Bye = { type: "bye"; id: number; reason: ByeReason };
type Refusal = { type: "error"; code: ErrorCode; message?: string; field?: string; limit?: number };
type Message =
  | Welcome | Offer | Heartbeat | Bye | Refusal
  | ({ type: "stream" } & Stream)
  | ({ type: "media" } & Media)
  | { type: "viewers"; count: number }
  | { type: "candidate"; id: number };

/** Checks one field of a message. */
type Check = (value: any) => boolean;

/* Transports */

type SignalingListener = { message: (data: unknown) => void; close: (code: number) => void };
type Network = "connected" | "disconnected" | "failed";
type PeerListener = {
  answer: (sdp: string) => void;
  candidate: (candidate: RTCIceCandidateInit | null) => void;
  track: (track: MediaStreamTrack) => void;
  network: (state: Network) => void;
  refused: (why: unknown) => void;
};

type Signaling = Pick<import("./transports.mjs").Signaling, "send" | "listen" | "drop" | "buffered">;
type Peer = Pick<import("./transports.mjs").Peer, "id" | "clock" | "setPlayoutDelay" | "stats" | "close">;
type OpenSignaling = (hello: () => Outgoing) => Signaling;

/** What a signaling link needs; times in ms of one monotonic clock. */
type SignalingLinkPorts = {
  now: () => number;
  random: () => number;
  signaling: OpenSignaling;
  refusal: () => Promise<string>;
  hello: () => Outgoing;
  message: (message: Message) => void;
  event: (event: ConnectionEvent, reason?: string) => void;
  log: (text: string) => void;
};

/** What a peer link needs; `closing` is called before a peer connection is closed. */
type PeerLinkPorts = {
  now: () => number;
  peer: (offer: Offer, listener: PeerListener) => Peer;
  track: (track: MediaStreamTrack) => void;
  send: (message: Outgoing) => void;
  event: (event: ConnectionEvent, reason?: string) => void;
  closing: () => void;
  log: (text: string) => void;
};

/** What a viewer needs; `wall` is the wall clock in ms, which continues while the machine sleeps. */
type ViewerPorts = {
  now: () => number;
  wall: () => number;
  random: () => number;
  hidden: () => boolean;
  token: () => string | undefined;
  signaling: OpenSignaling;
  refusal: () => Promise<string>;
  peer: (offer: Offer, listener: PeerListener) => Peer;
  picture: Picture;
  unplayable: () => string | null;
  changed: (view: View) => void;
  reload: () => void;
  log: (text: string) => void;
};

/* Picture and statistics */

/** Why the video does not play: the viewer paused it, or the browser requires a user gesture. */
type Idle = "" | "paused" | "refused";
type Picture = {
  readonly idle: Idle;
  show: (track: MediaStreamTrack) => void;
  hold: () => void;
  drop: () => void;
  play: () => void;
  revive: () => void;
};
/** `now` is `performance.now()` inside the frame callback. */
type FrameListener = (now: number, rtpTimestamp?: number) => void;

type Route = "same" | "direct" | "relayed" | "";
/** `video` is the report `inbound-rtp` of the browser; `at` in ms. */
type Snapshot = { at: number; video: any; bytes: number; trip: number | null; route: Route; codec: string };
/** `missed` is the fraction of packets lost since the last update; `bitrate` in bits per second, `trip` in ms, `buffer` and `decode` in ms per frame. */
type Stats = {
  width: number; height: number; fps: number | null; bitrate: number | null; buffer: number | null; decode: number | null;
  missed: number; lost: number; repaired: number; keyframes: number; plis: number; nacks: number; trip: number | null; route: Route; codec: string;
};

/** Everything that the page shows. `retryIn` in whole seconds. */
type View = {
  state: State; reason: string; limit: number; up: boolean; retryIn: number | null; sound: string; viewers: number | null;
  picture: "none" | "still" | "moving"; joinMs: number | null; latencyMs: number | null; freezes: number; stats: Stats | null;
  /** received now; null where there is only one */
  quality: Quality | null;
  preference: QualityPreference;
};

/* Texts and keys */

type Command = "pause" | "mute" | "full" | "pip" | "snapshot" | "stats" | "quality" | "help";
type ControlActions = Record<Command, () => void>;
type KeyPress = {
  key: string; ctrlKey?: boolean; metaKey?: boolean; altKey?: boolean; repeat?: boolean; defaultPrevented?: boolean; target: any;
};
type Sentence = { title: string; detail?: string; action?: string };
/** A file `words.*.json`; `{…}` in its texts is filled in. */
type Words = {
  name: string; retryIn: string; retrying: string; viewers: string; tapForSound: string; token: string; join: string; unknown: string;
  states: Record<State, Sentence>;
  reasons: Record<string, Sentence>;
  sound: Record<string, string>;
  controls: Record<string, string>;
  figures: Record<string, string>;
  routes: Record<string, string>;
  qualities: Record<string, string>;
};
