"""The innermost loop against libsrtp's ordinary interface: the same packets, byte for byte, for every viewer."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from broadcaster.media.packet_format import PacketFormat
from broadcaster.media.rtp import RtpFrame, RtpStream, send_time_element
from broadcaster.webrtc.internals import Srtp
from broadcaster.webrtc.packet_buffer import PacketBuffer

PROFILES = {
    b"SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, bytes(range(30))),
    b"SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, bytes(range(28))),
}


def session(name: bytes) -> Session:
    profile, key = PROFILES[name]
    return Session(Policy(key, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))


def srtp(name: bytes) -> Srtp:
    ssl = SimpleNamespace(get_selected_srtp_profile=lambda: name)
    return Srtp(SimpleNamespace(_tx_srtp=session(name), _ssl=ssl))


@given(
    st.sampled_from(sorted(PROFILES)),
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=8), min_size=1, max_size=4),
    st.integers(0, 0xFFFF),
    st.booleans(),
)
def test_packets_are_those_of_libsrtp(name, frames, first, late):
    """Packets of equal and of different sizes, so batches of one and of several, in one buffer; across the wrap."""
    buffer, viewers = PacketBuffer(), [(srtp(name), session(name), offset) for offset in (0, 3)]
    send_time = send_time_element(3, 7.5) if late else None
    for index, sizes in enumerate(frames):
        payloads = [bytes([index]) * size for size in sizes]
        frame = RtpFrame(RtpStream(1, "0"), payloads, timestamp=index, send_time=1.0)
        for outgoing, reference, offset in viewers:
            packet_format = PacketFormat.of(outgoing.tag, 101 + offset, mid=1, abs_send_time=3)
            burst = frame.serialize(packet_format).burst(0, len(frame))
            buffer.protect(outgoing, burst, packet_format, first + offset, send_time)
            expected = []
            for number in range(len(frame)):
                packet = burst.packet(number, packet_format)
                packet[2:4] = (first + offset + number & 0xFFFF).to_bytes(2, "big")
                if send_time is not None:
                    packet[16:20] = send_time
                expected.append(reference.protect(bytes(packet)))
            assert bytes(buffer.view[: len(burst.data)]) == b"".join(expected)
        first += len(frame)
