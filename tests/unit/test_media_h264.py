"""NAL units and their RTP payloads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.media.h264 import NalType, is_keyframe, nal_type, payloads, split_nal_units
from tests.unit.depacketizer import depacketize

SPS, PPS = b"\x67\x42\xe0\x1f", b"\x68\xce\x3c"
IDR, SLICE, SEI, AUD, FILLER = b"\x65", b"\x41", b"\x06\x05", b"\x09\x10", b"\x0c\xff"


def annex_b(*nals: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + nal for nal in nals)


def test_split_accepts_both_start_codes_and_drops_padding():
    stream = b"\0\0\0\1\x67ab\0\0" + b"\0\0\1\x68c" + b"\0\0\0\0\1\x65d"
    assert [bytes(nal) for nal in split_nal_units(stream)] == [b"\x67ab", b"\x68c", b"\x65d"]


@pytest.mark.parametrize("stream", [b"", b"\0\0", b"abc", b"\0\0\1", b"\0\0\1\0\0\1"])
def test_split_without_nal_units_is_empty(stream):
    assert list(split_nal_units(stream)) == []


def test_keyframe_needs_sps_and_pps_before_the_idr():
    assert is_keyframe(annex_b(AUD, SPS, PPS, SEI, IDR + b"x"))
    assert not is_keyframe(annex_b(IDR + b"x"))
    assert not is_keyframe(annex_b(SPS, IDR + b"x"))
    assert not is_keyframe(annex_b(IDR + b"x", SPS, PPS))
    assert not is_keyframe(annex_b(SPS, PPS, SLICE + b"x"))


def test_parameter_sets_are_sent_as_one_stap_a_with_the_highest_nri():
    first, second = payloads(annex_b(SPS, PPS, IDR + b"x"), 100)
    assert nal_type(first) == NalType.STAP_A
    assert first[0] & 0x60 == 0x60
    assert depacketize([first]) == annex_b(SPS, PPS)
    assert second == IDR + b"x"


def test_delimiters_and_filler_are_not_sent():
    assert payloads(annex_b(AUD, SLICE + b"x", FILLER), 100) == [SLICE + b"x"]


def test_fragments_have_equal_size_and_mark_start_and_end():
    parts = payloads(annex_b(IDR + bytes(range(1, 251))), 100)
    assert [len(part) for part in parts] == [100, 100, 56]
    assert [part[1] & 0xC0 for part in parts] == [0x80, 0, 0x40]
    assert {nal_type(part) for part in parts} == {NalType.FU_A}


def test_nal_unit_of_exactly_the_limit_is_not_fragmented():
    nal = SLICE + b"x" * 99
    assert payloads(annex_b(nal), 100) == [nal]


def test_large_sei_is_not_aggregated():
    parts = payloads(annex_b(SPS, b"\x06" + b"y" * 150, PPS, IDR + b"x"), 100)
    assert all(len(part) <= 100 for part in parts)
    assert depacketize(parts) == annex_b(SPS, b"\x06" + b"y" * 150, PPS, IDR + b"x")


nal_units = st.builds(
    lambda type, body: bytes([0x60 | type]) + bytes(byte or 1 for byte in body),
    st.sampled_from([1, 5, 6, 7, 8]),
    st.binary(min_size=1, max_size=400),
)


@given(st.lists(nal_units, min_size=1, max_size=6), st.integers(min_value=3, max_value=120))
def test_payloads_depacketize_to_the_same_nal_units(nals, limit):
    parts = payloads(annex_b(*nals), limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert depacketize(parts) == annex_b(*nals)


@given(st.binary(max_size=600))
def test_arbitrary_bytes_never_raise(data):
    is_keyframe(data)
    assert all(payloads(data, 50))
