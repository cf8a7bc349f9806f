"""The transport of a viewer that only counts: ICE lite, DTLS, receiver reports; video is neither decrypted nor copied.

The kernel hands over a whole burst at once (UDP GRO), of which only the first packet's header is copied: a burst costs
the viewer about as much as a packet costs others.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from aioice import stun
from aiortc import rtp
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCCertificate
from OpenSSL import SSL
from pylibsrtp import Policy, Session

_UDP_GRO = 104
"""Linux's socket option, and control message type (linux/udp.h)."""

_RCVBUFFORCE = 33
"""Linux's socket option: a buffer beyond the system's limit, for root (socket(7))."""

_RECEIVE_BUFFER = 2 << 20
"""Bytes: half a second of video, in case the viewers get no time on a busy machine."""

_LABEL = b"EXTRACTOR-dtls_srtp"
"""RFC 5764 §4.2."""

_VIDEO = 101
_BUFFER = bytearray(2048)
_ANCILLARY = socket.CMSG_SPACE(4)
_BANDWIDTH = 20_000_000
"""Bits per second that all viewers report: their networks are never too narrow."""

_CERTIFICATE = RTCCertificate.generateCertificate()
_CONTEXT = _CERTIFICATE._create_ssl_context(srtp_profiles=SRTP_PROFILES)
FINGERPRINT = next(found.value for found in _CERTIFICATE.getFingerprints() if found.algorithm == "sha-256")
"""Of the certificate that all viewers share."""


class Credentials(NamedTuple):
    """User name fragments and passwords of ICE, as ours and theirs."""

    fragment: str
    password: str
    their_fragment: str
    their_password: str


@dataclass(slots=True)
class Count:
    """The video that one viewer received. `highest` is the extended sequence number, `first_at` a monotonic time."""

    ssrc: int = 0
    packets: int = 0
    lost: int = 0
    highest: int = 0
    first_at: float | None = None
    _expected: int = field(default=0, init=False)

    def burst(self, header: bytes | bytearray, packets: int) -> None:
        """Count a burst of contiguous packets by its first one's header."""
        sequence = header[2] << 8 | header[3]
        if self.first_at is None:
            self.first_at = time.monotonic()
            self.ssrc = struct.unpack_from("!L", header, 8)[0]
            self._expected = sequence
        self.lost += (sequence - self._expected) & 0xFFFF
        self._expected = (sequence + packets) & 0xFFFF
        self.highest += (self._expected - 1 - self.highest) & 0xFFFF
        self.packets += packets


class CountingTransport:
    """Receives at a socket of its own, once `open` knows the daemon's address."""

    def __init__(self) -> None:
        self.count = Count()
        self._loop = asyncio.get_running_loop()
        self._tls = SSL.Connection(_CONTEXT)
        self._tls.set_connect_state()
        self._tls.set_ciphertext_mtu(1200)
        self._srtp: Session | None = None
        self._begun = False

    def open(self, address: tuple[str, int], credentials: Credentials) -> None:
        """Begin with a check of `address`, so that the daemon learns ours."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        with contextlib.suppress(PermissionError):  # else the system's limit holds
            self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _RECEIVE_BUFFER)
        self._socket.connect(address)
        self._address = address
        self._credentials = credentials
        self._loop.add_reader(self._socket.fileno(), self._read)
        self._check()

    def close(self) -> None:
        """Stop receiving."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def report(self) -> None:
        """Send a receiver report and REMB, as browsers do once a second."""
        if self._srtp is None or not self.count.ssrc:
            return
        block = rtp.RtcpReceiverInfo(self.count.ssrc, 0, self.count.lost, self.count.highest, 0, 0, 0)
        remb = rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_APP, 1, 0, rtp.pack_remb_fci(_BANDWIDTH, [self.count.ssrc]))
        self._send(self._srtp.protect_rtcp(bytes(rtp.RtcpRrPacket(1, [block])) + bytes(remb)))

    def _read(self) -> None:
        try:
            size, ancillary, _, _ = self._socket.recvmsg_into([_BUFFER], _ANCILLARY, socket.MSG_TRUNC)
        except OSError:
            return
        first = _BUFFER[0]
        if first >= 128:
            if _BUFFER[1] & 0x7F == _VIDEO:
                stride = struct.unpack("=i", ancillary[0][2])[0] if ancillary else size
                self.count.burst(_BUFFER, -(-size // stride))
        elif first < 4:
            self._take_stun(bytes(_BUFFER[:size]))
        else:
            self._tls.bio_write(bytes(_BUFFER[:size]))
            self._handshake()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError:
            return

    def _check(self) -> None:
        """Send a connectivity check, until the daemon has nominated the pair."""
        if self._begun:
            return
        ours, _, theirs, password = self._credentials
        attributes = {"USERNAME": f"{theirs}:{ours}", "PRIORITY": 1 << 24, "ICE-CONTROLLED": 1}
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        request.add_message_integrity(password.encode())
        self._send(bytes(request))
        self._loop.call_later(0.25, self._check)

    def _take_stun(self, data: bytes) -> None:
        message = stun.parse_message(data)
        if message.message_class is not stun.Class.REQUEST:
            return
        attributes = {"XOR-MAPPED-ADDRESS": self._address}
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id, attributes)
        response.add_message_integrity(self._credentials.password.encode())
        self._send(bytes(response))
        if "USE-CANDIDATE" in message.attributes and not self._begun:
            self._begun = True
            self._handshake()

    def _handshake(self) -> None:
        if self._srtp is not None:
            return
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._loop.call_later(1.0, self._repeat)
        else:
            self._srtp = self._new_srtp()
        self._flush()

    def _repeat(self) -> None:
        if self._srtp is None and self._tls.DTLSv1_get_timeout() == 0:
            self._tls.DTLSv1_handle_timeout()
            self._flush()

    def _flush(self) -> None:
        while True:
            try:
                self._send(self._tls.bio_read(1500))
            except SSL.WantReadError:
                return

    def _new_srtp(self) -> Session:
        """Return the context for our own reports (RFC 5764 §4.2: ours is the client's key)."""
        name = self._tls.get_selected_srtp_profile()
        profile = next(found for found in SRTP_PROFILES if found.openssl_profile == name)
        keys = self._tls.export_keying_material(_LABEL, 2 * (profile.key_length + profile.salt_length))
        policy = Policy(
            key=profile.get_key_and_salt(keys, 0),
            ssrc_type=Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=profile.libsrtp_profile,
        )
        return Session(policy)
