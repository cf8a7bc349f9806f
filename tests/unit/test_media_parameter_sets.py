import av
import pytest

from broadcaster.media.h264 import NalType, is_keyframe, nal_type, split_nal_units
from broadcaster.media.parameter_sets import ParameterSets, profile_obstacle

START = b"\0\0\0\1"
C920_SPS = bytes.fromhex("67424028965200a00b76022000")
"""Profile 66 with constraint_set1_flag, as the C920 announces itself."""
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


def kinds(unit: bytes) -> list[int]:
    return [nal_type(nal) for nal in nals(unit)]


def sets_of(unit: bytes) -> tuple[bytes, bytes]:
    found = {nal_type(nal): nal for nal in nals(unit)}
    return found[NalType.SPS], found[NalType.PPS]


def without(unit: bytes, *unwanted: int) -> bytes:
    return b"".join(START + nal for nal in nals(unit) if nal_type(nal) not in unwanted)


def test_constrained_baseline_of_an_encoder_and_of_a_camera_passes():
    assert profile_obstacle(*sets_of(encoded("baseline")[0])) is None
    assert profile_obstacle(C920_SPS, C920_PPS) is None


@pytest.mark.parametrize(("profile", "name"), [("main", "Main"), ("high", "High")])
def test_more_than_that_does_not(profile, name):
    assert f"profile is {name}" in profile_obstacle(*sets_of(encoded(profile, preset="medium")[0]))


def test_main_that_promises_to_be_baseline_too_passes():
    sps, pps = sets_of(encoded("baseline")[0])
    assert profile_obstacle(sps[:1] + bytes([77, 0xC0]) + sps[3:], pps) is None
    assert profile_obstacle(sps[:1] + bytes([77, 0x40]) + sps[3:], pps)


def test_plain_baseline_passes_unless_it_uses_what_browsers_lack():
    sps, pps = sets_of(encoded("baseline")[0])
    plain = sps[:2] + b"\0" + sps[3:]
    assert profile_obstacle(plain, pps) is None
    # ue(0) ue(0) two flags, then num_slice_groups_minus1 = 1
    assert "Baseline" in profile_obstacle(plain, bytes([0x68, 0b11000100, 0x80]))
    # as before but one slice group, and the last flag says redundant slices: 1 1 00 1 1 1 000 1 1 1 00 1
    assert "Baseline" in profile_obstacle(plain, bytes([0x68, 0b11001110, 0b00111001, 0x80]))
    assert profile_obstacle(plain, bytes([0x68, 0b11001110, 0b00111000, 0x80])) is None


def test_invalid_parameter_sets_are_refused():
    assert "invalid" in profile_obstacle(b"\x67\x42", b"\x68")
    assert profile_obstacle(bytes([0x67, 66, 0, 30]), bytes([0x68, 0]))


def test_a_keyframe_that_has_its_sets_stays_as_it_is():
    sets = ParameterSets()
    unit = encoded("baseline")[0]
    assert sets.complete(unit) == (unit, True)
    assert sets.obstacle is None


def test_sets_are_repeated_in_front_of_keyframes_that_come_without():
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


def test_sets_that_come_alone_are_kept_and_nothing_is_sent_for_them():
    sets = ParameterSets()
    first = encoded("baseline")[0]
    assert sets.obstacle
    assert sets.complete(without(first, NalType.IDR)) == (b"", False)
    data, keyframe = sets.complete(without(first, NalType.SPS, NalType.PPS))
    assert keyframe
    assert is_keyframe(data)


def test_half_a_set_is_completed_with_both():
    sets = ParameterSets()
    first = encoded("baseline")[0]
    sets.complete(first)
    data, keyframe = sets.complete(without(first, NalType.SPS))
    assert keyframe
    assert kinds(data)[:2] == [NalType.SPS, NalType.PPS]


def test_without_any_sets_it_is_no_keyframe():
    unit = without(encoded("baseline")[0], NalType.SPS, NalType.PPS)
    assert ParameterSets().complete(unit) == (unit, False)
