"""Every seam of the daemon on one page.

Edges implement these protocols, the stream and the web use them, and `app` alone knows which
implementation stands behind which. All times named `now`, `captured` or `heard` are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.rtp import RtpFrame
from broadcaster.model.offers import IceCandidate, Offer
from broadcaster.model.stats import PeerStats, QueueStats, ReceiverReport, StreamReport, Traffic
from broadcaster.model.stream import AccessUnit, OpusFrame, StreamState, StreamStatus


class Clock(Protocol):
    """Time as an argument: tests put a fake one here."""

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""

    def unix(self) -> float:
        """Wall-clock seconds; may jump, so only shown, and asked once whether a link has ended; never counted with."""


@dataclass(frozen=True, slots=True)
class VideoTraits:
    """What a video source is and can do; complete once it is open.

    `encoder` is a name for people ("libx264", "none (H.264 passes through)"); `stall_reason` is what viewers are told
    if it gives no picture and no error.
    """

    source: str
    encoder: str
    width: int
    height: int
    fps: float
    can_force_keyframe: bool
    can_set_bitrate: bool
    stall_reason: StreamReason = StreamReason.CAMERA_STALLED


class VideoSink(Protocol):
    """Where a video source delivers, on the event loop's thread."""

    def picture(self, unit: AccessUnit) -> None:
        """Take one access unit, in order of capture."""

    def failed(self, error: SourceError) -> None:
        """The source is done for; nothing comes after this but a `close`."""


class VideoSource(Protocol):
    """A device that gives access units; it can be opened again after `close`, also when `open` failed.

    Its place for a second, smaller size for slow links is a further sink at `open`, whose pictures, keyframe and
    rate are its own: a Pi's camera gives two sizes at once, each to an encoder.
    """

    @property
    def traits(self) -> VideoTraits:
        """What it is and can do."""

    async def open(self, sink: VideoSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`."""

    async def close(self) -> None:
        """Stop delivering and let go of the device; idempotent."""

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe; does nothing where `can_force_keyframe` is false."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the encoder's rate while running; does nothing where `can_set_bitrate` is false."""


class AudioSink(Protocol):
    """Where an audio source delivers, on the event loop's thread."""

    def frame(self, frame: OpusFrame) -> None:
        """Take 20 ms of sound, in order of capture."""

    def failed(self, error: SourceError) -> None:
        """The source is done for; nothing comes after this but a `close`."""


class AudioSource(Protocol):
    """A device that gives Opus frames; it can be opened again after `close`, also when `open` failed."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`."""

    async def close(self) -> None:
        """Stop delivering and let go of the device; idempotent."""


class Control(StrEnum):
    """What a hand at the panel did."""

    TOGGLE = "live button"
    START = "start button"
    STOP = "stop button"
    HOLD = "long press"


class Panel(Protocol):
    """The hardware controls: buttons, tally lamp, and a lamp for "someone watches"."""

    def open(self, used: Callable[[Control], None]) -> None:
        """Start watching the buttons; `used` is called on the event loop's thread. Raises `PanelError`."""

    def show(self, state: StreamState, *, muted: bool) -> None:
        """Let the tally lamp say `state`, and whether the sound is muted."""

    def show_viewers(self, count: int) -> None:
        """Let the second lamp say whether someone watches."""

    def acknowledge(self) -> None:
        """Let the tally lamp flicker for a moment: a long press was understood."""

    def close(self) -> None:
        """Lamps off, pins released; idempotent."""


class StoredFlag(Protocol):
    """A yes or no that survives a restart."""

    def load(self) -> bool:
        """Return the stored value; False when there is none."""

    def save(self, value: bool) -> None:
        """Store the value; a disk that cannot be written is logged, never raised."""


class MediaSender(Protocol):
    """One viewer's way out, as the fan-out sees it."""

    def is_listening(self, now: float) -> bool:
        """Whether anything authentic came from the viewer lately; pictures for nobody are not sent."""

    def send_video(self, frame: RtpFrame, first: int, end: int, now: float) -> int:
        """Send the packets from `first` up to, without, `end` of a picture; never waits.

        Returns how many were taken: fewer when the socket is full. Every picture begins with its packet 0
        and is finished before the next begins.
        """

    def send_audio(self, frame: RtpFrame) -> None:
        """Send 20 ms of sound; never waits."""

    def broke(self) -> None:
        """Sending raised what nobody foresaw: this viewer's connection is over, and nobody else's."""


class RtpDelivery(Protocol):
    """The RTP fan-out, as peer connections see it; `viewer` is the id of a viewer."""

    @property
    def reference(self) -> tuple[int, float] | None:
        """An RTP timestamp of the video and the capture time that belongs to it, in ms of the monotonic clock."""

    def expect(self, viewer: str) -> None:
        """Prepare a keyframe: `viewer` is about to connect."""

    def subscribe(self, viewer: str, sender: MediaSender) -> None:
        """Send everything from now on, beginning with a keyframe."""

    def unsubscribe(self, viewer: str, sender: MediaSender | None) -> None:
        """Send nothing more by `sender` (None: the viewer was only expected)."""

    def request_keyframe(self, viewer: str) -> None:
        """Force a keyframe, as soon as the gate allows: `viewer` cannot go on without one."""

    def report(self, viewer: str, report: ReceiverReport) -> None:
        """Take a receiver report of `viewer`."""

    def bandwidth_dropped(self, viewer: str, estimate: int) -> None:
        """Take a bandwidth estimate, in bits per second, that came between reports and is lower than the last one."""

    def queue_stats(self, viewer: str) -> QueueStats | None:
        """Return the state of the viewer's send queue; None when it is not subscribed."""


class PeerListener(Protocol):
    """Who hears what becomes of a peer connection."""

    def peer_connected(self) -> None:
        """ICE and DTLS are done; media flows."""

    def peer_lost(self) -> None:
        """The peer connection failed or the browser closed it; media has stopped."""


class Peer(Protocol):
    """One viewer's RTCPeerConnection, always the offering side."""

    async def offer(self) -> Offer:
        """Gather candidates and make the offer; once."""

    async def answer(self, sdp: str) -> None:
        """Apply a screened answer, and start connecting. Raises `BadAnswer`."""

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add a screened remote candidate; after `answer` only."""

    def request_keyframe(self) -> None:
        """The viewer says that its picture is broken."""

    def last_activity(self) -> float | None:
        """Monotonic time of the last authenticated datagram (STUN check or SRTCP), or None."""

    def stats(self) -> PeerStats:
        """Figures for the operator."""

    async def close(self) -> None:
        """End it and everything that belongs to it; idempotent, never raises."""


class PeerFactory(Protocol):
    """Makes peer connections that carry the stream; what they send is not its caller's business."""

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> Peer:
        """A new peer connection for the viewer of that id (for logs), who has reached us at that address of ours."""

    def traffic(self) -> Traffic:
        """Return what all peer connections have sent so far, the closed ones too."""


class StreamControl(Protocol):
    """The one stream, as controls and viewers see it."""

    @property
    def status(self) -> StreamStatus:
        """What viewers are told now."""

    def set_live(self, live: bool) -> str | None:
        """Ask for on air or off air: None when it is so or will be, else why the state does not allow it."""

    def toggle(self) -> None:
        """What a press of the live button means: the opposite of what was wanted last."""

    @property
    def muted(self) -> bool:
        """Whether the sound is kept back."""

    def mute(self, muted: bool) -> None:
        """Keep the sound back, or no more; without a source of sound nothing changes."""

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        """Call `listener` at every change of `status`; returns the function that ends this."""

    def report(self) -> StreamReport:
        """Figures for the operator."""
