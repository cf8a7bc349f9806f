from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.file.frame_assembler import STEREO_BYTES, TOLERANCE, FrameAssembler
from broadcaster.devices.opus import FRAME_SAMPLES

NO_LIMIT = 10**9


def pcm(samples: int, value: int = 1) -> bytes:
    return bytes([value]) * (samples * STEREO_BYTES)


def values(frames: list[tuple[int, bytes]]) -> bytes:
    """Return the first byte of each sample."""
    return b"".join(frame for _, frame in frames)[::STEREO_BYTES]


def positions(frames: list[tuple[int, bytes]]) -> list[int]:
    return [position for position, _ in frames]


def test_chunks_of_any_length_become_20_ms_frames():
    assembler = FrameAssembler(0)
    frames = [frame for index in range(3) for frame in assembler.add(index * 1024, pcm(1024), NO_LIMIT)]
    assert positions(frames) == [0, 960, 1920]
    assert values(frames) == b"\1" * 2880


def test_gap_is_filled_with_silence():
    assembler = FrameAssembler(0)
    frames = [*assembler.add(0, pcm(960), NO_LIMIT), *assembler.add(1920, pcm(960, 2), NO_LIMIT)]
    assert values(frames) == b"\1" * 960 + b"\0" * 960 + b"\2" * 960


def test_overlap_is_cut_from_the_later_chunk():
    assembler = FrameAssembler(0)
    frames = [*assembler.add(0, pcm(960), NO_LIMIT), *assembler.add(480, pcm(960, 2), NO_LIMIT)]
    frames += assembler.add_silence(1920)
    assert values(frames) == b"\1" * 960 + b"\2" * 480 + b"\0" * 480


def test_samples_before_the_start_are_dropped():
    frames = [*FrameAssembler(9600).add(0, pcm(9600 + 960), NO_LIMIT)]
    assert positions(frames) == [9600]


def test_rounded_position_does_not_move_a_chunk():
    assembler = FrameAssembler(0)
    frames = [*assembler.add(0, pcm(960), NO_LIMIT), *assembler.add(960 + TOLERANCE, pcm(960, 2), NO_LIMIT)]
    assert values(frames) == b"\1" * 960 + b"\2" * 960


def test_nothing_is_added_beyond_the_limit():
    assembler = FrameAssembler(0)
    frames = [*assembler.add(0, pcm(2000), 960), *assembler.add(2000, pcm(960), 960), *assembler.add_silence(960)]
    assert positions(frames) == [0]


CHUNKS = st.lists(st.tuples(st.integers(-5000, 20000), st.integers(0, 3000)), max_size=20)


@given(st.integers(0, 10000), CHUNKS)
def test_frames_are_contiguous_for_any_chunks(start, chunks):
    assembler = FrameAssembler(start)
    frames = [frame for position, samples in chunks for frame in assembler.add(position, pcm(samples), 15000)]
    frames += assembler.add_silence(15000)
    assert positions(frames) == [*range(start, 15000 - FRAME_SAMPLES + 1, FRAME_SAMPLES)]
    assert {len(frame) for _, frame in frames} == {FRAME_SAMPLES * STEREO_BYTES}
