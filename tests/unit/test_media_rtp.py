"""RTP frames: serialization for packet formats, header extensions, timestamps."""

import struct

from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.media.packet_format import SEND_TIME_OFFSET, PacketFormat
from broadcaster.media.rtp import (
    MAX_PACKET,
    MAX_PAYLOAD,
    Packetizer,
    RtpFrame,
    RtpStream,
    send_time_element,
)
from broadcaster.media.timestamps import AUDIO_RATE, AudioTimeline, RtpClock, absolute_send_time, ntp_time
from broadcaster.model.stream import AccessUnit, OpusFrame

VIDEO = RtpStream(ssrc=0x01020304, mid="0")
AUDIO = RtpStream(ssrc=0x05060708, mid="1")
FULL = PacketFormat.of(16, 101, mid=1, abs_send_time=3, playout_delay=4)


def packets(frame, packet_format):
    serialized = frame.serialize(packet_format)
    return [serialized.data[offset : offset + length] for offset, length in serialized.packets]


def extensions_map():
    extensions = HeaderExtensionsMap()
    uris = {1: "urn:ietf:params:rtp-hdrext:sdes:mid", 3: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"}
    extensions.configure(
        RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id, uri) for id, uri in uris.items()])
    )
    return extensions


def test_packets_are_parsed_by_aiortc():
    frame = RtpFrame(VIDEO, [b"a" * 50, b"b" * 50, b"c"], 90_000, send_time=70.5, keyframe=True)
    parsed = [RtpPacket.parse(packet, extensions_map()) for packet in packets(frame, FULL)]
    assert [packet.payload for packet in parsed] == frame.payloads
    assert [packet.marker for packet in parsed] == [0, 0, 1]
    assert {(p.ssrc, p.payload_type, p.timestamp, p.sequence_number) for p in parsed} == {(VIDEO.ssrc, 101, 90_000, 0)}
    assert {p.extensions.mid for p in parsed} == {"0"}
    assert {p.extensions.abs_send_time for p in parsed} == {absolute_send_time(6.5)}


def test_packets_are_followed_by_space_for_the_tag():
    frame = RtpFrame(VIDEO, [b"a" * 50, b"b" * 20], 0, 0.0)
    for tag in (10, 16):
        serialized = frame.serialize(PacketFormat.of(tag, 101))
        (first, first_length), (second, second_length) = serialized.packets
        assert (first, first_length, second_length) == (0, 12 + 50, 12 + 20)
        assert second == first_length + tag
        assert len(serialized.data) == second + second_length + tag


def test_packet_without_extensions_has_only_the_fixed_header():
    (packet,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0), PacketFormat.of(10, 101))
    assert packet == struct.pack("!BBHLL", 0x80, 101 | 0x80, 0, 0, VIDEO.ssrc) + b"x"


def test_playout_delay_is_on_keyframes_only():
    packet_format = PacketFormat.of(16, 101, playout_delay=4)
    (key,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0, keyframe=True), packet_format)
    (delta,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0), packet_format)
    assert key[12:20] == b"\xbe\xde\x00\x01\x42\x00\x00\x00"  # 0 to 0 ms
    assert delta[12:] == b"x"


def test_allowed_delay_is_on_every_frame():
    packet_format = PacketFormat.of(16, 101, playout_delay=4).with_delay_allowed()
    for keyframe in (True, False):
        (packet,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0, keyframe=keyframe), packet_format)
        assert packet[12:20] == b"\xbe\xde\x00\x01\x42\x00\x00\x28"  # 0 to 400 ms


def test_largest_packet_has_the_maximum_size():
    (packet,) = packets(RtpFrame(VIDEO, [b"x" * MAX_PAYLOAD], 0, 0.0, keyframe=True), FULL)
    assert len(packet) + FULL.layout.tag + 2 == MAX_PACKET  # a retransmission is two bytes longer


def test_serialization_is_cached_for_each_layout():
    frame = RtpFrame(VIDEO, [b"x"], 0, 0.0)
    assert frame.serialize(FULL) is frame.serialize(PacketFormat.of(16, 101, mid=1, abs_send_time=3, playout_delay=4))
    assert frame.serialize(FULL) is not frame.serialize(
        PacketFormat.of(10, 101, mid=1, abs_send_time=3, playout_delay=4)
    )


def as_sent(frame, packet_format):
    """Return the packets that a viewer with this format gets."""
    burst = frame.serialize(packet_format).burst(0, len(frame))
    view = memoryview(bytearray(burst.data))
    burst.renumber(view, packet_format)
    return [bytes(view[offset : offset + length]) for offset, length in zip(burst.offsets, burst.lengths, strict=True)]


numbers = st.integers(1, 14)


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    keyframe=st.booleans(),
    payload_type=st.integers(35, 127),
    ids=st.tuples(numbers, numbers, numbers),
    present=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    delay_allowed=st.booleans(),
)
def test_viewers_with_equal_layouts_share_a_serialization_and_get_their_own_numbers(
    sizes, keyframe, payload_type, ids, present, delay_allowed
):
    """The same packets as if the frame had been built for this viewer alone."""

    def make(payload_type, ids):
        made = PacketFormat.of(
            16,
            payload_type,
            mid=present[0],
            abs_send_time=ids[1] * present[1],
            playout_delay=ids[2] * present[2],
        )
        return made.with_delay_allowed() if delay_allowed else made

    def frame():
        return RtpFrame(VIDEO, [bytes(size) for size in sizes], 90_000, 1.0, keyframe=keyframe)

    first, second = make(101, (1, 3, 4)), make(payload_type, ids)
    shared = frame()
    assert shared.serialize(first) is shared.serialize(second)
    assert as_sent(shared, second) == packets(frame(), second)
    assert as_sent(shared, first) == packets(frame(), first)
    assert [bytes(shared.serialize(second).packet(index, second)) for index in range(len(sizes))] == packets(
        frame(), second
    )


def test_formats_with_equal_layouts_are_neighbours_in_order():
    formats = [PacketFormat.of(tag, number) for tag in (16, 10) for number in (102, 96)]
    assert [made.layout.tag for made in sorted(formats)] == [10, 10, 16, 16]


def test_burst_is_split_into_batches_for_one_system_call_each():
    sizes = [30, 100, 100, 100, 40, 100, 20]
    frame = RtpFrame(VIDEO, [bytes(size) for size in sizes], 0, 0.0)
    serialized = frame.serialize(PacketFormat.of(16, 101))
    whole = serialized.burst(0, len(frame))
    assert bytes(whole.data) == serialized.data
    assert [((batch.end - batch.start), batch.stride) for batch in whole.batches] == [
        (58, 58),  # a longer packet follows, which starts a new batch
        (3 * 128 + 68, 128),
        (128 + 48, 128),
    ]
    assert whole.octets == sum(sizes)
    assert serialized.burst(0, len(frame)) is whole


def test_burst_offsets_are_relative_to_its_first_byte():
    frame = RtpFrame(VIDEO, [b"a" * 10, b"b" * 10, b"c" * 10], 0, 0.0)
    serialized = frame.serialize(PacketFormat.of(10, 101))
    burst = serialized.burst(1, 3)
    assert (burst.offsets, burst.lengths) == ((0, 32), (22, 22))
    assert bytes(burst.data[12:22]) == b"b" * 10
    assert [(batch.start, batch.end) for batch in burst.batches] == [(0, 64)]


def test_send_time_is_at_its_fixed_offset():
    frame = RtpFrame(VIDEO, [b"x"], 7, 1.0, keyframe=True)
    element = send_time_element(FULL.abs_send_time, 1.0)
    (packet,) = packets(frame, FULL)
    assert packet[SEND_TIME_OFFSET : SEND_TIME_OFFSET + 4] == element


def test_timestamps_are_linear_in_capture_time_and_wrap():
    clock = RtpClock(90_000, offset=0xFFFFFFFF)
    assert clock.at(0) == 0xFFFFFFFF
    assert clock.at(1 / 90_000) == 0
    assert (clock.at(11) - clock.at(10)) % (1 << 32) == 90_000


def test_audio_timestamps_are_evenly_spaced_until_capture_time_differs():
    timeline = AudioTimeline(RtpClock(AUDIO_RATE, offset=0xFFFFFF00))
    first = timeline.at(100.0)
    assert timeline.at(100.0203) == (first + 960) & 0xFFFFFFFF
    assert timeline.at(100.0398) == (first + 1920) & 0xFFFFFFFF
    assert timeline.at(101.0) == (first + 48_000) & 0xFFFFFFFF


def test_ntp_time_starts_in_1900():
    assert ntp_time(0.5) == (2_208_988_800 << 32) + (1 << 31)


def test_packetizer_uses_one_capture_clock_for_both_media():
    packetizer = Packetizer(VIDEO, AUDIO)
    video = packetizer.packetize_video(AccessUnit(b"\0\0\0\1\x41abc", 10.0, keyframe=False), now=10.1)
    audio = packetizer.packetize_audio(OpusFrame(b"opus", 10.0), now=10.1)
    assert video is not None
    assert video.timestamp == packetizer.video_clock.at(10.0)
    assert audio.timestamp == packetizer.audio_clock.at(10.0)
    assert (video.stream, audio.stream, audio.payloads) == (VIDEO, AUDIO, [b"opus"])


def test_access_unit_with_nothing_to_send_gives_no_frame():
    assert Packetizer(VIDEO, AUDIO).packetize_video(AccessUnit(b"\0\0\0\1\x09\x10", 0.0, keyframe=False), 0.0) is None
