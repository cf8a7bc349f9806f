"""RTP frames: images for kinds of viewers, header extensions, timestamps."""

import struct

from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket

from broadcaster.media.rtp import (
    MAX_PACKET,
    MAX_PAYLOAD,
    SEND_TIME_OFFSET,
    PacketFormat,
    Packetizer,
    RtpFrame,
    RtpStream,
    send_time_element,
)
from broadcaster.media.timestamps import AUDIO_RATE, AudioTimeline, RtpClock, absolute_send_time, ntp_time
from broadcaster.model.stream import AccessUnit, OpusFrame

VIDEO = RtpStream(ssrc=0x01020304, payload_type=101, mid="0")
AUDIO = RtpStream(ssrc=0x05060708, payload_type=96, mid="1")
FULL = PacketFormat(16, 1, 3, 4)


def packets(frame, kind):
    image = frame.serialize(kind)
    return [image.data[offset : offset + length] for offset, length in image.packets]


def extensions_map():
    known = HeaderExtensionsMap()
    uris = {1: "urn:ietf:params:rtp-hdrext:sdes:mid", 3: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"}
    known.configure(RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(n, u) for n, u in uris.items()]))
    return known


def test_packets_are_what_another_implementation_reads():
    frame = RtpFrame(VIDEO, [b"a" * 50, b"b" * 50, b"c"], 90_000, send_time=70.5, keyframe=True)
    parsed = [RtpPacket.parse(packet, extensions_map()) for packet in packets(frame, FULL)]
    assert [packet.payload for packet in parsed] == frame.payloads
    assert [packet.marker for packet in parsed] == [0, 0, 1]
    assert {(p.ssrc, p.payload_type, p.timestamp, p.sequence_number) for p in parsed} == {(VIDEO.ssrc, 101, 90_000, 0)}
    assert {p.extensions.mid for p in parsed} == {"0"}
    assert {p.extensions.abs_send_time for p in parsed} == {absolute_send_time(6.5)}


def test_each_packet_has_room_for_its_tag_behind_it():
    frame = RtpFrame(VIDEO, [b"a" * 50, b"b" * 20], 0, 0.0)
    for tag in (10, 16):
        image = frame.serialize(PacketFormat(tag))
        (first, first_length), (second, second_length) = image.packets
        assert (first, first_length, second_length) == (0, 12 + 50, 12 + 20)
        assert second == first_length + tag
        assert len(image.data) == second + second_length + tag


def test_a_kind_without_extensions_has_a_bare_header():
    (packet,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0), PacketFormat(tag=10))
    assert packet == struct.pack("!BBHLL", 0x80, 101 | 0x80, 0, 0, VIDEO.ssrc) + b"x"


def test_playout_delay_stands_on_keyframes_only():
    kind = PacketFormat(tag=16, playout_delay=4)
    (key,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0, keyframe=True), kind)
    (delta,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0), kind)
    assert key[12:20] == b"\xbe\xde\x00\x01\x42\x00\x00\x00"  # at once
    assert delta[12:] == b"x"


def test_a_patient_viewer_is_told_with_every_picture_that_it_may_wait():
    kind = PacketFormat(tag=16, playout_delay=4, delay_allowed=True)
    for keyframe in (True, False):
        (packet,) = packets(RtpFrame(VIDEO, [b"x"], 0, 0.0, keyframe=keyframe), kind)
        assert packet[12:20] == b"\xbe\xde\x00\x01\x42\x00\x00\x28"  # 0 to 400 ms


def test_the_largest_packet_fits():
    (packet,) = packets(RtpFrame(VIDEO, [b"x" * MAX_PAYLOAD], 0, 0.0, keyframe=True), FULL)
    assert len(packet) + FULL.tag + 2 == MAX_PACKET  # a retransmission is two bytes longer


def test_an_image_is_made_once_for_each_kind():
    frame = RtpFrame(VIDEO, [b"x"], 0, 0.0)
    assert frame.serialize(FULL) is frame.serialize(PacketFormat(16, 1, 3, 4))
    assert frame.serialize(FULL) is not frame.serialize(PacketFormat(10, 1, 3, 4))


def test_a_burst_is_cut_into_runs_that_one_system_call_can_send():
    sizes = [30, 100, 100, 100, 40, 100, 20]
    frame = RtpFrame(VIDEO, [bytes(size) for size in sizes], 0, 0.0)
    image = frame.serialize(PacketFormat(tag=16))
    whole = image.burst(0, len(frame))
    assert bytes(whole.data) == image.data
    assert [((batch.end - batch.start), batch.stride) for batch in whole.batches] == [
        (58, 58),  # the longer one behind it begins a run of its own
        (3 * 128 + 68, 128),
        (128 + 48, 128),
    ]
    assert whole.octets == sum(sizes)
    assert image.burst(0, len(frame)) is whole


def test_a_burst_counts_its_offsets_from_its_own_first_byte():
    frame = RtpFrame(VIDEO, [b"a" * 10, b"b" * 10, b"c" * 10], 0, 0.0)
    image = frame.serialize(PacketFormat(tag=10))
    burst = image.burst(1, 3)
    assert (burst.offsets, burst.lengths) == ((0, 32), (22, 22))
    assert bytes(burst.data[12:22]) == b"b" * 10
    assert [(batch.start, batch.end) for batch in burst.batches] == [(0, 64)]


def test_the_send_time_stands_where_it_can_be_patched():
    frame = RtpFrame(VIDEO, [b"x"], 7, 1.0, keyframe=True)
    element = send_time_element(FULL.abs_send_time, 1.0)
    (packet,) = packets(frame, FULL)
    assert packet[SEND_TIME_OFFSET : SEND_TIME_OFFSET + 4] == element


def test_timestamps_are_linear_in_capture_time_and_wrap():
    clock = RtpClock(90_000, offset=0xFFFFFFFF)
    assert clock.at(0) == 0xFFFFFFFF
    assert clock.at(1 / 90_000) == 0
    assert (clock.at(11) - clock.at(10)) % (1 << 32) == 90_000


def test_audio_steps_stay_even_until_the_capture_clock_disagrees():
    timeline = AudioTimeline(RtpClock(AUDIO_RATE, offset=0xFFFFFF00))
    first = timeline.at(100.0)
    assert timeline.at(100.0203) == (first + 960) & 0xFFFFFFFF
    assert timeline.at(100.0398) == (first + 1920) & 0xFFFFFFFF
    assert timeline.at(101.0) == (first + 48_000) & 0xFFFFFFFF


def test_ntp_time_counts_from_1900():
    assert ntp_time(0.5) == (2_208_988_800 << 32) + (1 << 31)


def test_packetizer_puts_both_media_on_one_clock():
    packetizer = Packetizer(VIDEO, AUDIO)
    picture = packetizer.packetize_video(AccessUnit(b"\0\0\0\1\x41abc", 10.0, keyframe=False), now=10.1)
    sound = packetizer.packetize_audio(OpusFrame(b"opus", 10.0), now=10.1)
    assert picture is not None
    assert picture.timestamp == packetizer.video_clock.at(10.0)
    assert sound.timestamp == packetizer.audio_clock.at(10.0)
    assert (picture.stream, sound.stream, sound.payloads) == (VIDEO, AUDIO, [b"opus"])


def test_a_unit_with_nothing_to_send_gives_no_frame():
    assert Packetizer(VIDEO, AUDIO).packetize_video(AccessUnit(b"\0\0\0\1\x09\x10", 0.0, keyframe=False), 0.0) is None
