/** Types shared by the page's modules; only for the type checker. */

/* The connection table */

type State =
  | "connecting" | "standby" | "starting" | "live" | "blocked" | "unstable" | "reconnecting" | "noroute"
  | "failed" | "unreachable" | "refused" | "full" | "denied" | "stopped" | "unsupported";

type ConnectionEvent =
  | "page:start" | "page:try" | "page:retry" | "page:wake" | "page:token" | "page:tap" | "page:unplayable"
  | "signal:lost" | "signal:unanswered" | "signal:silent" | "signal:full" | "signal:busy" | "signal:denied" | "signal:refused" | "signal:stopped"
  | "stream:offline" | "stream:starting" | "stream:live" | "stream:stopping" | "stream:failed"
  | "peer:new" | "peer:failed" | "peer:refused" | "media:lost" | "route:none" | "route:unsupported"
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

type Welcome = {
  type: "welcome"; session: string; resume: string; resumed: boolean; stream: Stream; viewers: number;
  /** seconds */
  heartbeat: { idle: number };
  media?: MediaGrant;
};
/** A ticket for one WebSocket with the stream; `url` is relative to the page. */
type MediaGrant = { url: string; ticket: string };
type Offer = { type: "offer"; id: number; sdp: string; ice_servers: RTCIceServer[]; clock?: CaptureClock };
type Heartbeat = { type: "heartbeat"; t?: number; now: number; ask?: boolean };
type Bye = { type: "bye"; id: number; reason: ByeReason };
type Refusal = { type: "error"; code: ErrorCode; message?: string; field?: string; limit?: number };
type Message =
  | Welcome | Offer | Heartbeat | Bye | Refusal
  | ({ type: "stream" } & Stream)
  | { type: "viewers"; count: number }
  | ({ type: "media" } & MediaGrant)
  | { type: "candidate"; id: number };

/** Checks one field of a message. */
type Check = (value: any) => boolean;

/* Transports */

type SignalingListener = { message: (data: unknown) => void; close: (code: number) => void };
/** `blocked`: the browser has no candidate of any kind, because it may not use UDP. */
type Network = "connected" | "disconnected" | "failed" | "blocked";
type PeerListener = {
  answer: (sdp: string) => void;
  candidate: (candidate: RTCIceCandidateInit | null) => void;
  track: (track: MediaStreamTrack) => void;
  network: (state: Network) => void;
  refused: (why: unknown) => void;
};

type Signaling = Pick<import("./transports.mjs").Signaling, "send" | "listen" | "drop" | "buffered">;
type Player = Pick<import("./player.mjs").Player, "clock" | "stats" | "close">;
type OpenPlayer = (grant: MediaGrant, listener: PlayerListener) => Promise<Player>;
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

/** What a media link needs; `showing` and `closed` are called when the player begins and ends to use the video element. */
type MediaLinkPorts = {
  now: () => number;
  player: OpenPlayer;
  send: (message: Outgoing) => void;
  hasMediaSource: () => boolean;
  showing: () => void;
  closed: () => void;
  lost: (why: string) => void;
  log: (text: string) => void;
};

/** What the routes need; `changed` is called when something else begins or ends to play. */
type RoutesPorts = {
  now: () => number;
  peer: (offer: Offer, listener: PeerListener) => Peer;
  player: OpenPlayer;
  picture: Picture;
  send: (message: Outgoing) => void;
  event: (event: ConnectionEvent, reason?: string) => void;
  hasMediaSource: () => boolean;
  changed: () => void;
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
  player: OpenPlayer;
  picture: Picture;
  /** null until it is loaded */
  meter: () => import("./stats.mjs").Meter | null;
  unplayable: () => string | null;
  noWebrtc: () => string | null;
  hasMediaSource: () => boolean;
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
/** `now` is `performance.now()` inside the frame callback; `timestamp` in ticks of `CaptureClock`. */
type FrameListener = (now: number, timestamp?: number) => void;

/* The stream over the web */

/** Announces an init segment; `base` is the capture time of the media's time zero, in ms of the daemon's clock. */
type MediaInit = { type: "init"; mime: string; base: number; quality: Quality };
type SourcePicture = { readonly video: HTMLVideoElement; showSource: (source: MediaSource) => void };
/** `lost` is final if another attempt would be in vain. */
type PlayerListener = { showing: () => void; lost: (why: string, isFinal: boolean) => void };
/** `wanted` is called when the browser wants data again. */
type FeedListener = { showing: () => void; wanted: () => void; failed: (why: string, isFinal: boolean) => void };
/** `at` in ms; `frames` and `bytes` since the beginning; `ahead` in s. */
type PlaybackSnapshot = {
  at: number; bytes: number; frames: number; width: number; height: number; keyframes: number; mime: string; ahead: number;
};

type Route = "same" | "direct" | "relayed" | "web" | "";
/** `video` is the report `inbound-rtp` of the browser; `at` in ms. */
type Snapshot = { at: number; video: any; bytes: number; trip: number | null; route: Route; codec: string };
/** Null where unknown. `missed` is the fraction of packets lost since the last update; `bitrate` in bits per second, `trip` in ms, `buffer` and `decode` in ms per frame. */
type Stats = {
  width: number; height: number; fps: number | null; bitrate: number | null; buffer: number | null; decode: number | null;
  missed: number; lost: number | null; repaired: number | null; keyframes: number; plis: number | null; nacks: number | null;
  trip: number | null; route: Route; codec: string;
};

/** Everything that the page shows. `retryIn` in whole seconds. */
type View = {
  state: State; reason: string; limit: number; up: boolean; retryIn: number | null; sound: string; viewers: number | null;
  picture: "none" | "still" | "moving"; joinMs: number | null; latencyMs: number | null; freezes: number; stats: Stats | null;
  /** received now; null where there is only one */
  quality: Quality | null;
  preference: QualityPreference;
  transport: "webrtc" | "web";
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
  name: string; retryIn: string; retrying: string; viewers: string; tap: string; click: string; tapForSound: string; onlyPlace: string; token: string; join: string; unknown: string;
  states: Record<State, Sentence>;
  reasons: Record<string, Sentence>;
  sound: Record<string, string>;
  controls: Record<string, string>;
  figures: Record<string, string>;
  routes: Record<string, string>;
  qualities: Record<string, string>;
};
