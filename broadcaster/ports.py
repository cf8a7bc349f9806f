"""The interfaces between the layers, on one page.

`devices`, `webrtc`, `storage` and `service` implement these protocols, `stream` and `web` use them, and only `app`
knows which implementation is behind which protocol. Times named `now`, `captured` or `…_at` are monotonic seconds.
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
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality, QualityPreference, StreamState, StreamStatus


class Clock(Protocol):
    """The source of time; tests use a fake one."""

    def monotonic(self) -> float:
        """Return monotonic seconds; only differences are meaningful."""

    def unix(self) -> float:
        """Return Unix seconds. They may jump: use them for display and the expiry of links, never for timers."""


@dataclass(frozen=True, slots=True)
class VideoTraits:
    """Properties of a video source; complete once it is open.

    `encoder` is a display name ("libx264", "none (H.264 passes through)"); `stall_reason` is the reason that is
    reported when the source delivers neither a picture nor an error. `small_size` is width and height of the small
    rendition; None if there is none, and then `no_small` is the reason.
    """

    source: str
    encoder: str
    width: int
    height: int
    fps: float
    can_force_keyframe: bool
    can_set_bitrate: bool
    stall_reason: StreamReason = StreamReason.CAMERA_STALLED
    small_size: tuple[int, int] | None = None
    no_small: str = "video.second is off"


class VideoSink(Protocol):
    """Receives what a video source delivers, on the event loop's thread."""

    def picture(self, unit: AccessUnit) -> None:
        """Take the next access unit, in capture order."""

    def failed(self, error: SourceError) -> None:
        """Take the error that ended the source; it delivers nothing more, and is going to be closed."""


class VideoSource(Protocol):
    """A device that delivers access units; it can be opened again after `close`, also when `open` failed.

    Many sources can encode the video a second time, smaller, for viewers on slow networks. The small rendition has an
    encoder, a bit rate and keyframes of its own, and the same capture times.
    """

    @property
    def traits(self) -> VideoTraits:
        """Properties of the source."""

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """Start delivering into `sink`, and into `small` while `encode_small` is on. Raises `SourceError`.

        `small.failed` ends the small rendition only, until the source is opened again.
        """

    async def close(self) -> None:
        """Stop delivering and release the device; idempotent."""

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Make one of the next pictures a keyframe; does nothing if `can_force_keyframe` is false."""

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change an encoder's bit rate while it runs; does nothing if `can_set_bitrate` is false."""

    def encode_small(self, on: bool) -> None:
        """Run the encoder of the small rendition, which begins with a keyframe, or stop it; off after `open`."""


class AudioSink(Protocol):
    """Receives what an audio source delivers, on the event loop's thread."""

    def frame(self, frame: OpusFrame) -> None:
        """Take the next Opus frame (20 ms), in capture order."""

    def failed(self, error: SourceError) -> None:
        """Take the error that ended the source; it delivers nothing more, and is going to be closed."""


class AudioSource(Protocol):
    """A device that delivers Opus frames; it can be opened again after `close`, also when `open` failed."""

    @property
    def name(self) -> str:
        """Display name of the source."""

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`."""

    async def close(self) -> None:
        """Stop delivering and release the device; idempotent."""


class Control(StrEnum):
    """An action at the panel; the value is its name in the log."""

    TOGGLE = "live button"
    START = "start button"
    STOP = "stop button"
    HOLD = "long press"


class Panel(Protocol):
    """The hardware controls: buttons, the tally light, and a second LED that shows whether there are viewers."""

    def open(self, on_control: Callable[[Control], None]) -> None:
        """Start watching the buttons; `on_control` is called on the event loop's thread. Raises `PanelError`."""

    def show(self, state: StreamState, *, muted: bool) -> None:
        """Show `state`, and whether the audio is muted, on the tally light."""

    def show_viewers(self, count: int) -> None:
        """Show on the second LED whether there are viewers."""

    def acknowledge(self) -> None:
        """Flicker the tally light briefly to confirm a long press."""

    def close(self) -> None:
        """Switch the LEDs off and release the pins; idempotent."""


class StoredFlag(Protocol):
    """A boolean that survives a restart."""

    def load(self) -> bool:
        """Return the stored value; False when there is none."""

    def save(self, value: bool) -> None:
        """Store the value; a write error is logged, and not raised."""


class MediaSender(Protocol):
    """Sends RTP to one viewer, as the fan-out sees it."""

    @property
    def network(self) -> str:
        """The viewer's IPv4 address or IPv6 network, from ICE; empty while it is unknown."""

    def is_listening(self, now: float) -> bool:
        """Return whether an authenticated datagram arrived from the viewer recently; otherwise nothing is sent."""

    def send_video(self, frame: RtpFrame, first: int, end: int, now: float) -> int:
        """Send the packets `first` to `end` (exclusive) of a picture, without blocking.

        Return how many were sent: fewer if the socket is full. Every picture starts with its packet 0 and is
        completed before the next one starts.
        """

    def send_audio(self, frame: RtpFrame) -> None:
        """Send 20 ms of audio, without blocking."""

    def send_padding(self, packets: int, now: float) -> int:
        """Send up to `packets` packets that the viewer already has, to probe what its network carries.

        Return how many were sent.
        """

    def quality_chosen(self, quality: Quality) -> None:
        """The viewer is about to get this rendition."""

    def sending_failed(self) -> None:
        """End this viewer's connection, because sending to it raised an unexpected exception."""


class RtpDelivery(Protocol):
    """The RTP fan-out, as peer connections see it; `viewer` is the id of a viewer."""

    @property
    def reference(self) -> tuple[int, float] | None:
        """An RTP timestamp of the video, and its capture time in ms of the monotonic clock; None before a picture."""

    def expect(self, viewer: str) -> None:
        """Prepare a keyframe: `viewer` is about to connect."""

    def subscribe(
        self,
        viewer: str,
        sender: MediaSender,
        preference: QualityPreference = QualityPreference.AUTO,
        last: Quality = Quality.FULL,
    ) -> None:
        """Start sending to `viewer`, beginning with a keyframe of the rendition that it chose, or else got last."""

    def prefer(self, viewer: str, preference: QualityPreference) -> None:
        """Take the viewer's choice of the rendition."""

    def unsubscribe(self, viewer: str, sender: MediaSender | None) -> None:
        """Stop sending through `sender` (None: the viewer was expected, but has not subscribed)."""

    def request_keyframe(self, viewer: str) -> None:
        """Force a keyframe, as soon as the gate allows: `viewer` cannot decode without one."""

    def report(self, viewer: str, report: ReceiverReport) -> None:
        """Take a receiver report of `viewer`."""

    def bandwidth_dropped(self, viewer: str, estimate: int) -> None:
        """Take a bandwidth estimate, in bits per second, that arrived between reports and is lower than before."""

    def queue_stats(self, viewer: str) -> QueueStats | None:
        """Return the state of the viewer's send queue; None when it is not subscribed."""


class PeerListener(Protocol):
    """Receives the events of a peer connection."""

    def peer_connected(self) -> None:
        """ICE and DTLS are established; media is being sent."""

    def peer_quality(self, quality: Quality) -> None:
        """The viewer is about to get this rendition."""

    def peer_lost(self) -> None:
        """The peer connection failed, or the viewer closed it; nothing more is sent."""


class Peer(Protocol):
    """One viewer's RTCPeerConnection, always the offering side."""

    async def offer(self) -> Offer:
        """Gather candidates, and return the offer; may be called once."""

    async def answer(self, sdp: str) -> None:
        """Apply a filtered answer, and start connecting. Raises `BadAnswer`."""

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add a filtered remote candidate; after `answer` only."""

    def prefer(self, preference: QualityPreference, last: Quality = Quality.FULL) -> None:
        """Take the viewer's choice, and until it is connected `last`, the rendition to begin with otherwise."""

    def request_keyframe(self) -> None:
        """Request a keyframe, because the viewer cannot decode the video."""

    def last_activity(self) -> float | None:
        """Return the monotonic time of the last authenticated datagram (STUN check or SRTCP), or None."""

    def stats(self) -> PeerStats:
        """Return statistics for the operator."""

    async def close(self) -> None:
        """Close the peer connection and all its resources; idempotent, never raises."""


class PeerFactory(Protocol):
    """Creates peer connections that carry the stream."""

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> Peer:
        """Return a new peer connection; `reached_at` is the local address that the viewer's HTTP connection uses."""

    def traffic(self) -> Traffic:
        """Return what all peer connections have sent so far, including the closed ones."""


class StreamControl(Protocol):
    """The stream, as panel, API and viewers control it."""

    @property
    def status(self) -> StreamStatus:
        """The current status, as viewers see it."""

    def set_live(self, live: bool) -> None:
        """Set the desired state; does nothing if the stream is already in it."""

    def toggle(self) -> None:
        """Invert the desired state, as a press of the live button does."""

    @property
    def muted(self) -> bool:
        """Whether the audio is muted."""

    def mute(self, muted: bool) -> None:
        """Mute or unmute the audio; does nothing without an audio source."""

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        """Call `listener` whenever `status` changes; return a function that removes it."""

    def report(self) -> StreamReport:
        """Return statistics for the operator."""
