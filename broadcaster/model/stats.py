"""Statistics of the components, for `GET /api/status` and the log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """A viewer's receiver report: fraction lost since the last report, packets lost in total, and its bandwidth
    estimate (REMB) in bits per second, if it ever sent one.

    `in_flight` counts packets that have been sent and have neither arrived nor been lost; `round_trip` is in seconds,
    None until it is known.
    """

    loss: float
    lost: int
    remb: int | None
    in_flight: int = 0
    round_trip: float | None = None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One viewer's send queue: pictures skipped, how the viewer keeps up, seconds that the oldest picture waits."""

    skipped: int
    health: str
    backlog: float


@dataclass(frozen=True, slots=True)
class PeerStats:
    """Statistics of one peer connection since it was created, and the current state of its viewer.

    `send_errors` are packets that could not be sent, `packets_held` those that waited for a full socket.
    Units: seconds, bits per second, fractions from 0 to 1; None means that the viewer has not reported it yet.
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
    backlog: float = 0.0
    loss: float = 0.0
    jitter: float = 0.0
    round_trip: float | None = None
    remb: int | None = None
    datagrams_dropped: int = 0


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
class Capacity:
    """How the fan-out fares: bits a second of one viewer's picture (measured, and asked of the encoder), the event
    loop's lag in ms, the traffic of all viewers, and whether newcomers are refused because it cannot keep up."""

    bitrate: int
    bitrate_wanted: int
    loop_lag_p99: float
    loop_lag_max: float
    overloaded: bool
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class StreamReport:
    """Figures of the stream for `GET /api/status`; names are for people.

    `openings` is how often the sources were opened, in vain or not; `internal_errors` counts exceptions that nobody
    foresaw.
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
