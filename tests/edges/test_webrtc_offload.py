"""A protected burst through libsrtp and the kernel: one system call, split by UDP segmentation offload."""

from __future__ import annotations

import contextlib
import os
import socket
from types import SimpleNamespace

import pytest
from pylibsrtp import Policy, Session

from broadcaster.media.packet_format import PacketFormat
from broadcaster.media.rtp import RtpFrame, RtpStream
from broadcaster.webrtc.datagrams import DatagramSender
from broadcaster.webrtc.internals import Srtp
from broadcaster.webrtc.packet_buffer import PacketBuffer

SSRC = 0x1234ABCD
PAYLOADS = [bytes([number]) * 1100 for number in range(40)] + [b"shorter"]
PROFILES = {
    b"SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    b"SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
}
"""Profile, and bytes of key and salt (RFC 3711 §8.2, RFC 7714 §12)."""


def sessions(name: bytes) -> tuple[Srtp, Session]:
    """Return the outgoing session, as of a DTLS transport, and the incoming one with the same key."""
    profile, length = PROFILES[name]
    key = os.urandom(length)
    outgoing = Session(Policy(key, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
    incoming = Session(Policy(key, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
    transport = SimpleNamespace(_tx_srtp=outgoing, _ssl=SimpleNamespace(get_selected_srtp_profile=lambda: name))
    return Srtp(transport), incoming


@contextlib.contextmanager
def loopback():
    """Yield a sender whose nominated pair leads to the receiving socket, and that socket."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
    ):
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(10)
        transport = SimpleNamespace(get_extra_info=lambda name: sending)
        pair = SimpleNamespace(
            protocol=SimpleNamespace(transport=transport),
            remote_addr=receiving.getsockname(),
            local_candidate=SimpleNamespace(type="host"),
        )
        datagrams = DatagramSender(SimpleNamespace(_nominated={1: pair}))
        yield datagrams, receiving
        datagrams.close()


@pytest.mark.parametrize("name", PROFILES, ids=bytes.decode)
def test_packets_of_a_burst_arrive_separately_and_decrypt(name):
    srtp, incoming = sessions(name)
    frame = RtpFrame(RtpStream(SSRC, "0"), PAYLOADS, timestamp=90_000, send_time=1.0)
    packet_format = PacketFormat.of(srtp.tag, 101)
    burst = frame.serialize(packet_format).burst(0, len(PAYLOADS))
    buffer = PacketBuffer()
    buffer.protect(srtp, burst, packet_format, 65_520, None)
    with loopback() as (datagrams, receiving):
        datagrams.send_batches(buffer.view, burst.batches)
        received = [incoming.unprotect(receiving.recv(65_536)) for _ in PAYLOADS]
        assert datagrams._offload, "the kernel refused segmentation offload, so packets were sent singly"
    assert [packet[12:] for packet in received] == PAYLOADS
    numbers = [int.from_bytes(packet[2:4], "big") for packet in received]
    assert numbers == [(65_520 + index) & 0xFFFF for index in range(len(PAYLOADS))]
    assert {packet[8:12] for packet in received} == {SSRC.to_bytes(4, "big")}
