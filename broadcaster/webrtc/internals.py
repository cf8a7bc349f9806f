"""Every private name of aiortc, aioice and pylibsrtp that we use stands here, and nowhere else.

aiortc keeps what it is good at: SDP, ICE and DTLS. Its RTP sender would packetize, encrypt and time each packet
for each viewer; we let it do its part of the SDP and take its place on the transport.
`check` names at start what a new release has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import repeat
from typing import Any

import aioice.ice
import aiortc.rtcicetransport
from aioice.turn import TurnClientUdpProtocol, TurnTransport
from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]

from broadcaster.errors import BroadcasterError
from broadcaster.media.rtp import SEND_TIME_OFFSET, SEQUENCE_OFFSET, Burst

__all__ = ["SrtpError"]

_COMPONENT = 1
"""RTP and RTCP share the one ICE component (RFC 8843)."""

srtp_protect = lib.srtp_protect

_HIGH = bytes(number >> 8 for number in range(1 << 16)) * 2
_LOW = bytes(range(256)) * 512
"""Both bytes of all sequence numbers, twice round: those of a run of packets are one slice of each."""

StartSending = Callable[[RTCRtpSendParameters], None]


@contextmanager
def connections_from(make: Callable[..., aioice.ice.Connection]) -> Iterator[None]:
    """Let aiortc call `make` for every ICE connection meanwhile: the one module attribute that we replace."""
    theirs = aiortc.rtcicetransport.Connection  # type: ignore[attr-defined]
    aiortc.rtcicetransport.Connection = make  # type: ignore[assignment, attr-defined]
    try:
        yield
    finally:
        aiortc.rtcicetransport.Connection = theirs  # type: ignore[attr-defined]


def offer_extension(kind: str, uri: str, number: int) -> None:
    """Let every later offer have a header extension in its m-line of that kind; once."""
    extensions = HEADER_EXTENSIONS[kind]
    if all(extension.uri != uri for extension in extensions):
        extensions.append(RTCRtpHeaderExtensionParameters(id=number, uri=uri))


def set_ssrcs(sender: RTCRtpSender, ssrc: int, rtx_ssrc: int) -> None:
    """Let the offer name these SSRCs instead of random ones."""
    sender._ssrc = ssrc
    sender._rtx_ssrc = rtx_ssrc


def set_profile_order(transport: RTCDtlsTransport, names: tuple[bytes, ...]) -> None:
    """Offer these SRTP profiles (OpenSSL's names), dearest last; as DTLS server our order decides."""
    known: dict[bytes, SRTPProtectionProfile] = {p.openssl_profile: p for p in transport._srtp_profiles}
    transport._srtp_profiles = [known[name] for name in names]


def take_over(sender: RTCRtpSender, started: StartSending) -> None:
    """Replace what `sender` does on the wire: `started` gets the negotiated parameters once DTLS is up."""
    waiting = [started]

    async def send(parameters: RTCRtpSendParameters) -> None:
        while waiting:
            waiting.pop()(parameters)

    async def stop() -> None:
        waiting.clear()

    sender.send = send  # type: ignore[method-assign]
    sender.stop = stop  # type: ignore[method-assign]


def receive_nothing(receiver: RTCRtpReceiver) -> None:
    """Take away the receiver's bandwidth estimator, a thousand objects that only received packets would need."""
    receiver._RTCRtpReceiver__remote_bitrate_estimator = None  # type: ignore[attr-defined]


def break_cycles(transport: RTCDtlsTransport) -> None:
    """Break the reference cycles through a closed peer connection, so that it is freed at once.

    aiortc's transports refer to the peer connection by their listeners, and aioice's candidate pairs to the connection
    by their ports.
    """
    transport.remove_all_listeners()
    ice_connection(transport)._check_list.clear()


def unprotect_rtcp(transport: RTCDtlsTransport, data: bytes) -> bytes | None:
    """The compound RTCP packet in an SRTCP datagram; None when it is not authentic, or DTLS is not up yet."""
    session: Session | None = transport._rx_srtp
    if session is None:
        return None
    try:
        return session.unprotect_rtcp(data)
    except SrtpError:
        return None


def ice_connection(transport: RTCDtlsTransport) -> aioice.ice.Connection:
    """The ICE connection below a DTLS transport."""
    return transport.transport._connection


def nominated_pair(connection: aioice.ice.Connection) -> aioice.ice.CandidatePair | None:
    """The pair of addresses in use now; it can change, and vanish."""
    return connection._nominated.get(_COMPONENT)


def adopt(connection: aioice.ice.Connection, port: aioice.ice.StunProtocol) -> None:
    """Let the connection use this port, and close it in the end."""
    connection._protocols.append(port)


def waiting(connection: aioice.ice.Connection) -> int:
    """How many datagrams nobody has taken from the connection yet."""
    return connection._queue.qsize()


def give_up_relay(port: aioice.ice.StunProtocol) -> None:
    """Let a relayed port that is closing not wait for its TURN server any longer; does nothing for others."""
    transport: object = port.transport
    if isinstance(transport, TurnTransport):
        closing = transport._TurnTransport__close_task  # type: ignore[attr-defined]
        for task in (closing, *transport._TurnTransport__send_tasks):  # type: ignore[attr-defined]
            task.cancel()


class Srtp:
    """The outgoing SRTP session of a connected DTLS transport."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._session: Session = transport._tx_srtp
        self.handle = self._session._srtp[0]
        if transport._ssl is None:
            raise BroadcasterError("DTLS is not connected")
        profile = transport._ssl.get_selected_srtp_profile()
        self.tag = 16 if b"GCM" in profile else 10
        """Bytes that protecting adds (RFC 7714 §5.2, RFC 3711 §5.2)."""

    def protect(self, packet: bytes) -> bytes:
        """A single RTP packet, ready to send."""
        return self._session.protect(packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """An RTCP compound packet, ready to send."""
        return self._session.protect_rtcp(packet)


class Scratch:
    """Memory in which the packets of a burst are numbered and protected in place, one viewer after the other."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray())
        self._burst: Burst | None = None
        self._lengths = self._given_lengths = ffi.new("int[]", 0)
        self._packets: list[Any] = []
        self._pointers: list[Any] = []

    def protect(self, srtp: Srtp, burst: Burst, sequence: int, send_time: bytes | None) -> None:
        """Copy a burst to the beginning of `view`, number its packets from `sequence`, encrypt them in place.

        `send_time` is an abs-send-time element that takes the place of the burst's own. This is the inner loop of
        the whole daemon: it runs for each packet and viewer. Raises `SrtpError`.
        """
        if burst is not self._burst:
            self._take(burst)
        view, handle = self.view, srtp.handle
        view[: len(burst.data)] = burst.data
        self._lengths[0 : len(burst.lengths)] = self._given_lengths
        self._number(burst, sequence & 0xFFFF)
        if send_time is not None:
            for offset in burst.offsets:
                view[offset + SEND_TIME_OFFSET : offset + SEND_TIME_OFFSET + 4] = send_time
        if any(map(srtp_protect, repeat(handle), self._packets, self._pointers)):
            raise SrtpError("srtp_protect failed")

    def _number(self, burst: Burst, sequence: int) -> None:
        """Write both bytes of the numbers from `sequence` on, for each run of equally spaced packets at once."""
        for batch in burst.batches:
            end = sequence + batch.packets
            self.view[batch.start + SEQUENCE_OFFSET : batch.end : batch.stride] = _HIGH[sequence:end]
            self.view[batch.start + SEQUENCE_OFFSET + 1 : batch.end : batch.stride] = _LOW[sequence:end]
            sequence = end

    def _take(self, burst: Burst) -> None:
        """Make what is equal for all viewers of this burst: where its packets lie, as libsrtp wants to know it."""
        if len(burst.data) > len(self.view):
            self.view = memoryview(bytearray(len(burst.data)))
        base, number = ffi.from_buffer(self.view), len(burst.lengths)
        self._burst = burst
        self._given_lengths = ffi.new("int[]", burst.lengths)
        self._lengths = ffi.new("int[]", number)
        self._packets = [base + offset for offset in burst.offsets]
        self._pointers = [self._lengths + index for index in range(number)]


def check() -> None:
    """Raises `BroadcasterError` that names every private thing which this file needs and does not find."""
    probe = RTCPeerConnection()
    transceiver = probe.addTransceiver("video", direction="sendonly")
    sender = transceiver.sender
    dtls = sender.transport
    unused = TurnClientUdpProtocol(("", 0), None, None, 0, 0)
    needed: list[tuple[object, str]] = [
        *((sender, name) for name in ("_ssrc", "_rtx_ssrc", "send", "stop")),
        *((dtls, name) for name in ("_srtp_profiles", "_tx_srtp", "_ssl", "_rx_srtp")),
        (transceiver.receiver, "_RTCRtpReceiver__remote_bitrate_estimator"),
        (dtls, "remove_all_listeners"),
        (dtls.transport, "_connection"),
        *((dtls.transport._connection, name) for name in ("_nominated", "_protocols", "_queue", "_check_list")),
        *((aioice.ice.Connection, name) for name in ("get_component_candidates", "request_received", "data_received")),
        *((aioice.ice, name) for name in ("relayed_candidate", "server_reflexive_candidate")),
        (aioice.ice.StunProtocol(dtls.transport._connection), "transactions"),
        *((TurnTransport(unused), f"_TurnTransport__{name}") for name in ("close_task", "send_tasks")),
        (aiortc.rtcicetransport, "Connection"),
        (Session(Policy(bytes(30), Policy.SSRC_ANY_OUTBOUND)), "_srtp"),
        (lib, "srtp_protect"),
    ]
    missing = [f"{type(owner).__name__}.{name}" for owner, name in needed if not hasattr(owner, name)]
    if missing:
        releases = ", ".join(f"{name} {version(name)}" for name in ("aiortc", "aioice", "pylibsrtp"))
        raise BroadcasterError(f"this release of the WebRTC library is not supported ({releases}): no {missing}")
