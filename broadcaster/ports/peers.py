"""The interfaces of RTP delivery and peer connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from broadcaster.media.packet_format import PacketFormat
from broadcaster.media.rtp import RtpFrame
from broadcaster.model.offers import Answer, IceCandidate, Offer
from broadcaster.model.stats import PeerStats, QueueStats, ReceiverReport, Traffic
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.signaling.player_offer import PlayerOffer


class MediaSender(Protocol):
    """Sends RTP to one viewer, as the fan-out sees it."""

    @property
    def network(self) -> str:
        """The viewer's IPv4 address or IPv6 network, from ICE; empty while it is unknown."""

    @property
    def is_viewer(self) -> bool:
        """Whether it sends to a viewer; a push target does not count as one, and never lowers the viewers' bit rate."""

    @property
    def packet_format(self) -> PacketFormat:
        """The packet format of the video, or of the audio if there is no video: equal ones are served together."""

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

    @property
    def is_sending(self) -> bool:
        """Whether packets wait for nothing but the processor."""

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

    def packet_format_changed(self, viewer: str) -> None:
        """The viewer's packets have another layout from now on."""

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


class MediaPeer(Protocol):
    """A peer connection that carries the stream to one viewer, whichever side made the offer."""

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add a filtered remote candidate; after offer and answer only."""

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


class Peer(MediaPeer, Protocol):
    """A peer connection that makes the offer, as for the page."""

    async def offer(self) -> Offer:
        """Gather candidates, and return the offer; may be called once."""

    async def answer(self, sdp: str) -> None:
        """Apply a filtered answer, and start connecting. Raises `BadAnswer`."""


class PlayerPeer(MediaPeer, Protocol):
    """A peer connection that answers a player's offer (WHEP)."""

    async def answer(self) -> Answer:
        """Gather candidates, start connecting, and return the answer; may be called once. Raises `BadOffer`."""


class PushPeer(Peer, Protocol):
    """The peer connection to a media server, to which the stream is pushed."""

    def check_consent(self) -> None:
        """Send a connectivity check, because the server has been silent; its response counts as activity."""


class PeerFactory(Protocol):
    """Creates peer connections that carry the stream."""

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> Peer:
        """Return a new peer connection; `reached_at` is the local address that the viewer's HTTP connection uses."""

    def create_player(
        self, viewer: str, listener: PeerListener, offer: PlayerOffer, reached_at: str = ""
    ) -> PlayerPeer:
        """Return a new peer connection that answers a filtered offer."""

    def ice_servers(self, viewer: str) -> tuple[Mapping[str, Any], ...]:
        """Return STUN and TURN servers in the form of `RTCConfiguration.iceServers`, with credentials for a viewer."""

    @property
    def with_audio(self) -> bool:
        """Whether the stream may have audio."""

    def create_push(
        self, target: str, listener: PeerListener, ice_servers: Sequence[Mapping[str, Any]] = ()
    ) -> PushPeer:
        """Return a new peer connection to a media server.

        `ice_servers` are its own STUN and TURN servers, in the form of `RTCConfiguration.iceServers`; they are
        preferred to those in the settings.
        """

    async def turn(self, *, answer: bool) -> None:
        """Wait until there is time to make an offer, or to apply an `answer`: hundreds may join at once."""

    def traffic(self) -> Traffic:
        """Return what all viewers' peer connections have sent so far, including the closed ones."""
