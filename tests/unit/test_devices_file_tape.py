from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.file.frame_assembler import STEREO_BYTES, TOLERANCE, FrameAssembler
from broadcaster.devices.opus import FRAME_SAMPLES

FOREVER = 10**9


def sound(samples: int, value: int = 1) -> bytes:
    return bytes([value]) * (samples * STEREO_BYTES)


def values(frames: list[tuple[int, bytes]]) -> bytes:
    """The first byte of each sample."""
    return b"".join(frame for _, frame in frames)[::STEREO_BYTES]


def test_pieces_of_any_length_become_frames_of_20_ms():
    tape = FrameAssembler(0)
    frames = [frame for index in range(3) for frame in tape.add(index * 1024, sound(1024), FOREVER)]
    assert [place for place, _ in frames] == [0, 960, 1920]
    assert values(frames) == b"\1" * 2880


def test_a_gap_is_filled_with_silence():
    tape = FrameAssembler(0)
    frames = [*tape.add(0, sound(960), FOREVER), *tape.add(1920, sound(960, 2), FOREVER)]
    assert values(frames) == b"\1" * 960 + b"\0" * 960 + b"\2" * 960


def test_an_overlap_is_cut_from_the_later_piece():
    tape = FrameAssembler(0)
    frames = [*tape.add(0, sound(960), FOREVER), *tape.add(480, sound(960, 2), FOREVER)]
    frames += tape.add_silence(1920)
    assert values(frames) == b"\1" * 960 + b"\2" * 480 + b"\0" * 480


def test_what_lies_before_the_start_is_left_out():
    frames = [*FrameAssembler(9600).add(0, sound(9600 + 960), FOREVER)]
    assert [place for place, _ in frames] == [9600]


def test_rounded_times_do_not_move_a_piece():
    tape = FrameAssembler(0)
    frames = [*tape.add(0, sound(960), FOREVER), *tape.add(960 + TOLERANCE, sound(960, 2), FOREVER)]
    assert values(frames) == b"\1" * 960 + b"\2" * 960


def test_nothing_is_laid_beyond_the_limit():
    tape = FrameAssembler(0)
    frames = [*tape.add(0, sound(2000), 960), *tape.add(2000, sound(960), 960), *tape.add_silence(960)]
    assert [place for place, _ in frames] == [0]


PIECES = st.lists(st.tuples(st.integers(-5000, 20000), st.integers(0, 3000)), max_size=20)


@given(st.integers(0, 10000), PIECES)
def test_frames_follow_each_other_whatever_is_laid(start, pieces):
    tape = FrameAssembler(start)
    frames = [frame for place, samples in pieces for frame in tape.add(place, sound(samples), 15000)]
    frames += tape.add_silence(15000)
    assert [place for place, _ in frames] == [*range(start, 15000 - FRAME_SAMPLES + 1, FRAME_SAMPLES)]
    assert {len(frame) for _, frame in frames} == {FRAME_SAMPLES * STEREO_BYTES}
