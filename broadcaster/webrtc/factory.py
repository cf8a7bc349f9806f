"""The factory of peer connections, and the order of SRTP profiles."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from broadcaster.media.rtp import Packetizer, RtpStream
from broadcaster.media.rtx import RtxStream
from broadcaster.model.stats import Traffic
from broadcaster.ports import Clock, Peer, PeerListener, PlayerPeer, PushPeer, RtpDelivery
from broadcaster.settings import IceSettings
from broadcaster.signaling.codec_choice import PLAYOUT_DELAY
from broadcaster.signaling.player_offer import PlayerOffer
from broadcaster.webrtc import internals
from broadcaster.webrtc.answering import AnsweringPlayerPeer
from broadcaster.webrtc.ice import IceConnection, IceContext
from broadcaster.webrtc.offering import OfferingPeer
from broadcaster.webrtc.peer import PeerConnection, PeerContext
from broadcaster.webrtc.reports import CaptureClock
from broadcaster.webrtc.servers import Servers, aioice_arguments, ice_server, rtc_ice_server
from broadcaster.webrtc.turns import Turns

_PLAYOUT_DELAY_ID = 4
"""Header extension id; aiortc uses 1 to 3."""

_RTX_PAYLOAD_TYPE = 102
"""The payload type that aiortc assigns, as a test verifies; the SDP filter rejects answers that change it."""

_DEFAULT_ICE = IceSettings()
"""No servers, all interfaces, any port."""


CERTIFICATE_LIFETIME = 24 * 3600.0
"""Seconds for which new peer connections get the same DTLS certificate: making one takes a millisecond, and it is valid
for a month."""


def make_streams() -> tuple[RtpStream, RtpStream]:
    """Return the identities of the video and audio streams, the same for every viewer while the daemon runs."""
    video_ssrc, audio_ssrc = random.sample(range(1, 1 << 32), 2)
    return RtpStream(video_ssrc, "0"), RtpStream(audio_ssrc, "1")


class OfferingPushPeer(OfferingPeer):
    """Offers the stream to a media server (`ports.PushPeer`)."""

    is_viewer = False

    def check_consent(self) -> None:
        """Send a connectivity check, because the server has been silent; its response counts as activity."""
        self.ice.check_consent()


class AiortcPeerFactory:
    """Creates peer connections by aiortc (`ports.PeerFactory`).

    Raises `BroadcasterError` if the installed aiortc is not supported.
    """

    def __init__(
        self,
        delivery: RtpDelivery,
        packetizer: Packetizer,
        clock: Clock,
        *,
        with_audio: bool,
        ice: IceSettings = _DEFAULT_ICE,
    ) -> None:
        internals.check()
        internals.offer_extension("video", PLAYOUT_DELAY, _PLAYOUT_DELAY_ID)
        self._open: set[PeerConnection] = set()
        self._closed_traffic = Traffic()
        self._certificate_ends_at = float("-inf")
        self._turns = Turns(lambda: delivery.is_sending)
        self._ice = IceContext(clock, ice.interfaces, ice.ports)
        self._servers = Servers(ice.servers, ice.turn_secret, clock)
        self._context = PeerContext(
            delivery=delivery,
            packetizer=packetizer,
            clock=clock,
            capture_clock=CaptureClock(clock.unix() - clock.monotonic()),
            rtx=RtxStream(random.randrange(1, 1 << 32), _RTX_PAYLOAD_TYPE),
            with_audio=with_audio,
            ice_servers=(),
            profile_order=profile_order(processor_features()),
        )

    @property
    def with_audio(self) -> bool:
        """See `ports.PeerFactory`."""
        return self._context.with_audio

    def ice_servers(self, viewer: str) -> tuple[Mapping[str, Any], ...]:
        """See `ports.PeerFactory`."""
        return tuple(map(rtc_ice_server, self._servers.for_offer(viewer)))

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> Peer:
        """See `ports.PeerFactory`."""
        with self._for_viewer(viewer, reached_at) as context:
            peer = OfferingPeer(viewer, listener, context, self._closed)
        self._open.add(peer)
        return peer

    def create_player(
        self, viewer: str, listener: PeerListener, offer: PlayerOffer, reached_at: str = ""
    ) -> PlayerPeer:
        """See `ports.PeerFactory`."""
        with self._for_viewer(viewer, reached_at) as context:
            peer = AnsweringPlayerPeer(viewer, listener, context, self._closed, offer)
        self._open.add(peer)
        return peer

    def create_push(
        self, target: str, listener: PeerListener, ice_servers: Sequence[Mapping[str, Any]] = ()
    ) -> PushPeer:
        """See `ports.PeerFactory`."""
        servers = (*map(ice_server, ice_servers), *self._servers.for_offer(target))
        connection = partial(IceConnection, self._ice, aioice_arguments(servers))
        with internals.use_ice_connection(connection, self._certificate()):
            return OfferingPushPeer(target, listener, self._context, self._closed)

    async def turn(self, *, answer: bool) -> None:
        """See `ports.PeerFactory`."""
        await self._turns.take(answer=answer)

    def traffic(self) -> Traffic:
        """Return what all peer connections have sent so far, including closed ones."""
        traffic = self._closed_traffic
        for peer in self._open:
            traffic += peer.stats()
        return traffic

    @contextmanager
    def _for_viewer(self, viewer: str, reached_at: str) -> Iterator[PeerContext]:
        """Provide what a viewer's peer connection needs: its ICE servers, and ICE connections with our settings."""
        servers = self._servers.for_offer(viewer)
        connection = partial(IceConnection, self._ice, aioice_arguments(servers), reached_at)
        with internals.use_ice_connection(connection, self._certificate()):
            yield replace(self._context, ice_servers=tuple(map(rtc_ice_server, servers)))

    def _certificate(self) -> internals.SharedCertificate:
        """Return the DTLS certificate of all peer connections, a new one now and then."""
        now = self._context.clock.monotonic()
        if now >= self._certificate_ends_at:
            self._shared_certificate = internals.SharedCertificate.generateCertificate()
            self._certificate_ends_at = now + CERTIFICATE_LIFETIME
        return self._shared_certificate

    def _closed(self, peer: PeerConnection) -> None:
        if peer in self._open:
            self._open.remove(peer)
            self._closed_traffic += peer.stats()


GCM = b"SRTP_AEAD_AES_128_GCM"
COUNTER_MODE = b"SRTP_AES128_CM_SHA1_80"

_GCM_INSTRUCTIONS = ({"aes", "pmull"}, {"aes", "pclmulqdq"})
"""Linux's names for AES and carry-less multiplication instructions on Arm (from Pi 5) and on x86."""


def profile_order(processor_features: set[str]) -> tuple[bytes, bytes]:
    """Return the SRTP profiles, fastest first: that is GCM only if the processor has instructions for it."""
    if any(required <= processor_features for required in _GCM_INSTRUCTIONS):
        return (GCM, COUNTER_MODE)
    return (COUNTER_MODE, GCM)


def processor_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Return the features that the kernel lists for the first processor; none if they are unknown."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return set()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()
