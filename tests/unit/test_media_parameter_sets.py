"""Profile check of parameter sets, and their repetition before keyframes."""

import av
import pytest

from broadcaster.media.h264 import NalType, is_keyframe, nal_type, split_nal_units
from broadcaster.media.parameter_sets import ParameterSets, profile_obstacle

START = b"\0\0\0\1"
C920_SPS = bytes.fromhex("67424028965200a00b76022000")
"""Profile 66 with constraint_set1_flag, as a Logitech C920 camera sends it."""
C920_PPS = bytes.fromhex("68ce3880")


def encoded(profile: str, count: int = 3, **options: str) -> list[bytes]:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = 64, 64, "yuv420p", 30
    codec.options = {"profile": profile, "tune": "zerolatency", "preset": "ultrafast", "g": "2", **options}
    units = []
    for _ in range(count):
        units += [bytes(packet) for packet in codec.encode(av.VideoFrame(64, 64, "yuv420p"))]
    return units


def nals(unit: bytes) -> list[bytes]:
    return [bytes(nal) for nal in split_nal_units(unit)]


def nal_types(unit: bytes) -> list[int]:
    return [nal_type(nal) for nal in nals(unit)]


def sets_of(unit: bytes) -> tuple[bytes, bytes]:
    by_type = {nal_type(nal): nal for nal in nals(unit)}
    return by_type[NalType.SPS], by_type[NalType.PPS]


def without(unit: bytes, *types: int) -> bytes:
    return b"".join(START + nal for nal in nals(unit) if nal_type(nal) not in types)


def test_constrained_baseline_is_accepted():
    assert profile_obstacle(*sets_of(encoded("baseline")[0])) is None
    assert profile_obstacle(C920_SPS, C920_PPS) is None


@pytest.mark.parametrize(("profile", "name"), [("main", "Main"), ("high", "High")])
def test_main_and_high_profile_are_rejected(profile, name):
    assert f"profile is {name}" in profile_obstacle(*sets_of(encoded(profile, preset="medium")[0]))


def test_main_that_conforms_to_constrained_baseline_is_accepted():
    sps, pps = sets_of(encoded("baseline")[0])
    assert profile_obstacle(sps[:1] + bytes([77, 0xC0]) + sps[3:], pps) is None
    assert profile_obstacle(sps[:1] + bytes([77, 0x40]) + sps[3:], pps)


def test_baseline_is_accepted_unless_it_uses_slice_groups_or_redundant_slices():
    sps, pps = sets_of(encoded("baseline")[0])
    plain = sps[:2] + b"\0" + sps[3:]
    assert profile_obstacle(plain, pps) is None
    # ue(0) ue(0) two flags, then num_slice_groups_minus1 = 1
    assert "Baseline" in profile_obstacle(plain, bytes([0x68, 0b11000100, 0x80]))
    # one slice group, and the last flag, redundant_pic_cnt_present_flag, is set: 1 1 00 1 1 1 000 1 1 1 00 1
    assert "Baseline" in profile_obstacle(plain, bytes([0x68, 0b11001110, 0b00111001, 0x80]))
    assert profile_obstacle(plain, bytes([0x68, 0b11001110, 0b00111000, 0x80])) is None


def test_invalid_parameter_sets_are_rejected():
    assert "invalid" in profile_obstacle(b"\x67\x42", b"\x68")
    assert profile_obstacle(bytes([0x67, 66, 0, 30]), bytes([0x68, 0]))


def test_complete_keyframe_is_unchanged():
    sets = ParameterSets()
    unit = encoded("baseline")[0]
    assert sets.complete(unit) == (unit, True)
    assert sets.obstacle is None


def test_parameter_sets_are_prepended_to_keyframes_that_lack_them():
    sets = ParameterSets()
    first, second, third = encoded("baseline")
    sets.complete(first)
    data, keyframe = sets.complete(without(third, NalType.SPS, NalType.PPS))
    assert keyframe
    assert is_keyframe(data)
    assert sets_of(data) == sets_of(first)
    assert sets.complete(second) == (second, False)
    decoder = av.CodecContext.create("h264", "r")
    assert decoder.decode(av.Packet(data))


def test_parameter_sets_alone_are_stored_and_not_sent():
    sets = ParameterSets()
    first = encoded("baseline")[0]
    assert sets.obstacle
    assert sets.complete(without(first, NalType.IDR)) == (b"", False)
    data, keyframe = sets.complete(without(first, NalType.SPS, NalType.PPS))
    assert keyframe
    assert is_keyframe(data)


def test_missing_sps_is_prepended_together_with_the_pps():
    sets = ParameterSets()
    first = encoded("baseline")[0]
    sets.complete(first)
    data, keyframe = sets.complete(without(first, NalType.SPS))
    assert keyframe
    assert nal_types(data)[:2] == [NalType.SPS, NalType.PPS]


def test_idr_without_any_parameter_sets_is_no_keyframe():
    unit = without(encoded("baseline")[0], NalType.SPS, NalType.PPS)
    assert ParameterSets().complete(unit) == (unit, False)
