"""All uses of private names of aiortc, aioice and pylibsrtp.

aiortc does SDP, ICE and DTLS. Its RTP sender, which would packetize, encrypt and schedule each packet for each viewer,
only contributes to the SDP; `sender.ViewerSender` replaces it on the transport. `check`, called at start, reports the
names that a new release has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import ModuleType, SimpleNamespace
from typing import Any

import aioice.ice
import aiortc.rtcicetransport
import aiortc.rtcpeerconnection
import aiortc.rtcrtpreceiver
from aioice.turn import TurnClientUdpProtocol, TurnTransport
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsTransport, RTCPeerConnection, RTCRtpSender
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters
from OpenSSL import SSL
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]

from broadcaster.errors import BroadcasterError

__all__ = ["SrtpError", "ffi"]

COMPONENT = 1
"""The only ICE component: RTP and RTCP are multiplexed (RFC 5761)."""

srtp_protect = lib.srtp_protect

StartSending = Callable[[RTCRtpSendParameters], None]

_ICE_NAMES = (
    *("_nominated", "_protocols", "_queue", "_check_list"),
    *("_local_candidates", "_local_candidates_start", "_local_candidates_end"),
)


class SharedCertificate(RTCCertificate):
    """The DTLS certificate of many peer connections; context and fingerprints are made once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._fingerprints = super().getFingerprints()
        self._contexts: dict[tuple[bytes, ...], SSL.Context] = {}

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:
        return self._fingerprints

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        key = tuple(profile.openssl_profile for profile in srtp_profiles)
        if key not in self._contexts:
            context = self._contexts[key] = super()._create_ssl_context(srtp_profiles)
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        return self._contexts[key]


@contextmanager
def use_ice_connection(factory: Callable[..., aioice.ice.Connection], certificate: SharedCertificate) -> Iterator[None]:
    """Make aiortc create ICE connections by `factory`, and use `certificate`, in this context.

    There, it makes no bandwidth estimators either: about a thousand objects each, unused because no media is received.
    """
    replacements: list[tuple[ModuleType, str, object]] = [
        (aiortc.rtcicetransport, "Connection", factory),
        (aiortc.rtcpeerconnection, "RTCCertificate", SimpleNamespace(generateCertificate=lambda: certificate)),
        (aiortc.rtcrtpreceiver, "RemoteBitrateEstimator", lambda: None),
    ]
    originals = [(module, name, getattr(module, name)) for module, name, _ in replacements]
    for module, name, replacement in replacements:
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)


def offer_extension(kind: str, uri: str, id: int) -> None:
    """Add a header extension to the m-lines of that kind in all later offers; idempotent."""
    extensions = HEADER_EXTENSIONS[kind]
    if all(extension.uri != uri for extension in extensions):
        extensions.append(RTCRtpHeaderExtensionParameters(id=id, uri=uri))


def set_ssrcs(sender: RTCRtpSender, ssrc: int, rtx_ssrc: int) -> None:
    """Use these SSRCs in the offer instead of random ones."""
    sender._ssrc = ssrc
    sender._rtx_ssrc = rtx_ssrc


def set_profile_order(transport: RTCDtlsTransport, names: tuple[bytes, ...]) -> None:
    """Offer these SRTP profiles (OpenSSL's names) in order of preference, which counts when we are the DTLS server."""
    known: dict[bytes, SRTPProtectionProfile] = {p.openssl_profile: p for p in transport._srtp_profiles}
    transport._srtp_profiles = [known[name] for name in names]


def replace_sender(sender: RTCRtpSender, started: StartSending) -> None:
    """Send nothing by `sender`; call `started` once, with the negotiated parameters, when DTLS is connected."""
    pending = [started]

    async def send(parameters: RTCRtpSendParameters) -> None:
        while pending:
            pending.pop()(parameters)

    async def stop() -> None:
        pending.clear()

    sender.send = send  # type: ignore[method-assign]
    sender.stop = stop  # type: ignore[method-assign]


def break_cycles(transport: RTCDtlsTransport) -> None:
    """Break the reference cycles of a closed peer connection, so that it is freed at once.

    aiortc's transports refer to the peer connection by their listeners, and aioice's candidate pairs to the ICE
    connection by their ports.
    """
    transport.remove_all_listeners()
    ice_connection(transport)._check_list.clear()


def unprotect_rtcp(transport: RTCDtlsTransport, data: bytes) -> bytes | None:
    """Return the compound RTCP packet in an SRTCP datagram; None if it is not authentic, or DTLS is not connected."""
    session: Session | None = transport._rx_srtp
    if session is None:
        return None
    try:
        return session.unprotect_rtcp(data)
    except SrtpError:
        return None


def ice_connection(transport: RTCDtlsTransport) -> aioice.ice.Connection:
    """Return the ICE connection of a DTLS transport."""
    return transport.transport._connection


def begin_gathering(connection: aioice.ice.Connection) -> bool:
    """Return whether candidates are still to be gathered: once for each connection."""
    began, connection._local_candidates_start = connection._local_candidates_start, True
    return not began


def end_gathering(connection: aioice.ice.Connection, candidates: list[aioice.Candidate]) -> None:
    """Use the candidates, which are all."""
    connection._local_candidates += candidates
    connection._local_candidates_end = True


def nominated_pair(connection: aioice.ice.Connection) -> aioice.ice.CandidatePair | None:
    """Return the nominated candidate pair, which may change; None if there is none."""
    return connection._nominated.get(COMPONENT)


def add_port(connection: aioice.ice.Connection, port: aioice.ice.StunProtocol) -> None:
    """Make the connection use this port, and close it when it is closed."""
    connection._protocols.append(port)


def queued_datagrams(connection: aioice.ice.Connection) -> int:
    """Return the number of received datagrams that aiortc has not read yet."""
    return connection._queue.qsize()


def cancel_relay_close(port: aioice.ice.StunProtocol) -> None:
    """Make a relayed port that is closing stop waiting for its TURN server; do nothing for other ports."""
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
        """Bytes of the authentication tag that protection appends (RFC 7714 §5.2, RFC 3711 §5.2)."""

    def protect(self, packet: bytes) -> bytes:
        """Return the SRTP packet for an RTP packet."""
        return self._session.protect(packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the SRTCP packet for a compound RTCP packet."""
        return self._session.protect_rtcp(packet)


def check() -> None:
    """Raise `BroadcasterError` with the private names that this file uses and the installed releases lack."""
    probe = RTCPeerConnection()
    transceiver = probe.addTransceiver("video", direction="sendonly")
    sender = transceiver.sender
    dtls = sender.transport
    unused = TurnClientUdpProtocol(("", 0), None, None, 0, 0)
    needed: list[tuple[object, str]] = [
        *((sender, name) for name in ("_ssrc", "_rtx_ssrc", "send", "stop")),
        *((dtls, name) for name in ("_srtp_profiles", "_tx_srtp", "_ssl", "_rx_srtp")),
        (dtls, "remove_all_listeners"),
        (dtls.transport, "_connection"),
        *((dtls.transport._connection, name) for name in _ICE_NAMES),
        *((aioice.ice.Connection, name) for name in ("get_component_candidates", "request_received", "data_received")),
        *((aioice.ice, name) for name in ("relayed_candidate", "server_reflexive_candidate")),
        (aioice.ice.StunProtocol(dtls.transport._connection), "transactions"),
        *((TurnTransport(unused), f"_TurnTransport__{name}") for name in ("close_task", "send_tasks")),
        (aiortc.rtcicetransport, "Connection"),
        (aiortc.rtcpeerconnection, "RTCCertificate"),
        (aiortc.rtcrtpreceiver, "RemoteBitrateEstimator"),
        (RTCCertificate, "_create_ssl_context"),
        (Session(Policy(bytes(30), Policy.SSRC_ANY_OUTBOUND)), "_srtp"),
        (lib, "srtp_protect"),
    ]
    missing = [f"{type(owner).__name__}.{name}" for owner, name in needed if not hasattr(owner, name)]
    if missing:
        releases = ", ".join(f"{name} {version(name)}" for name in ("aiortc", "aioice", "pylibsrtp"))
        raise BroadcasterError(f"this release of the WebRTC library is not supported ({releases}): no {missing}")
