"""Statistics of the components, for `GET /api/status` and the log."""

from __future__ import annotations

from dataclasses import dataclass, field

from broadcaster.model.stream import Quality


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """A viewer's receiver report.

    `loss` is the fraction of packets lost since the previous report, `lost` the total number. `remb` is the bandwidth
    estimate in bits per second, None if the viewer never sent one. `in_flight` counts packets that were sent and are
    neither received nor lost. `round_trip` is in seconds, None until it is known.
    """

    loss: float
    lost: int
    remb: int | None
    in_flight: int = 0
    round_trip: float | None = None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A viewer's send queue: skipped pictures, health, and the age of the oldest waiting picture in seconds."""

    skipped: int
    health: str
    backlog: float
    quality: Quality = Quality.FULL


@dataclass(frozen=True, slots=True)
class PeerStats:
    """Statistics of one peer connection since it was created, and the current state of its viewer.

    `send_errors` counts packets that could not be sent, `packets_held` those that waited for a full socket. Units:
    seconds, bits per second, fractions from 0 to 1. None means that the viewer has not reported the value yet.
    """

    connected: bool = False
    route: str = ""
    video_packets: int = 0
    audio_packets: int = 0
    bytes_sent: int = 0
    send_errors: int = 0
    packets_held: int = 0
    keyframe_requests: int = 0
    retransmitted: int = 0
    nacks: int = 0
    skipped: int = 0
    health: str = ""
    quality: Quality = Quality.FULL
    backlog: float = 0.0
    loss: float = 0.0
    jitter: float = 0.0
    round_trip: float | None = None
    remb: int | None = None
    datagrams_dropped: int = 0


@dataclass(frozen=True, slots=True)
class ViewerOverview:
    """What the owner sees of one viewer, by the way that it plays.

    `name` is that of its link, `link` the link's id, `player` that of a WHEP player, `seconds` since it joined. `state`
    is connecting, connected or away. Units are as in `PeerStats`.
    """

    viewer: str
    name: str
    link: str
    address: str
    player: str
    seconds: float
    state: str
    route: str = ""
    quality: Quality = Quality.FULL
    loss: float = 0.0
    round_trip: float | None = None
    estimate: int | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """Totals of all peer connections since the daemon started."""

    packets: int = 0
    bytes_sent: int = 0
    retransmitted: int = 0
    pictures_skipped: int = 0
    send_errors: int = 0
    packets_held: int = 0

    def __add__(self, stats: PeerStats) -> Traffic:
        """Add the statistics of one peer connection."""
        return Traffic(
            self.packets + stats.video_packets + stats.audio_packets,
            self.bytes_sent + stats.bytes_sent,
            self.retransmitted + stats.retransmitted,
            self.pictures_skipped + stats.skipped,
            self.send_errors + stats.send_errors,
            self.packets_held + stats.packets_held,
        )


@dataclass(frozen=True, slots=True)
class MediaStats:
    """Statistics of one connection to `/media`, the way without UDP.

    `backlog` is in seconds, `estimate`, the bandwidth, in bits per second.
    `messages` counts init segments and fragments, `unacknowledged` those that the viewer has not confirmed yet.
    """

    quality: Quality = Quality.FULL
    bytes_sent: int = 0
    messages: int = 0
    unacknowledged: int = 0
    skipped: int = 0
    backlog: float = 0.0
    estimate: int | None = None
    route: str = "over the web (TCP)"


@dataclass(frozen=True, slots=True)
class MediaTotals:
    """Totals of all connections to `/media` since the daemon started, and how many there are now."""

    viewers: int = 0
    bytes_sent: int = 0
    pictures_skipped: int = 0

    def __add__(self, stats: MediaStats) -> MediaTotals:
        """Add the statistics of one connection."""
        return MediaTotals(self.viewers, self.bytes_sent + stats.bytes_sent, self.pictures_skipped + stats.skipped)


@dataclass(frozen=True, slots=True)
class RenditionStats:
    """Statistics of one rendition: its viewers, its size in pixels, and its bit rate, measured and requested.

    `obstacle` is the reason if there is no such rendition; the size is 0 then.
    """

    viewers: int
    width: int
    height: int
    bitrate: int
    bitrate_wanted: int
    running: bool = True
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The daemon's load.

    `bitrate` is the measured video bit rate of one viewer and `bitrate_wanted` the encoder's target, both in bits per
    second. The event loop's lag is in milliseconds. `overloaded` means that new viewers are refused.
    """

    bitrate: int
    bitrate_wanted: int
    loop_lag_p99: float
    loop_lag_max: float
    overloaded: bool
    traffic: Traffic
    renditions: dict[str, RenditionStats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamReport:
    """Statistics of the stream for `GET /api/status`; the names of sources and encoder are for display.

    `openings` counts attempts to open the sources, including failed ones; `internal_errors` counts unexpected
    exceptions. `opening` is whether they are being opened. `problem` is why the stream has failed, as in the log; empty
    in all other states. Both are for the operator only: `problem` may name a file.
    """

    video_source: str
    encoder: str
    audio_source: str
    width: int
    height: int
    fps: float
    pictures: int
    keyframes_forced: int
    openings: int = 0
    internal_errors: int = 0
    opening: bool = False
    problem: str = ""
