"""Reading where the samples of recordings are, and joining parts of them to a plain MP4."""

import contextlib
import itertools
import random
import re
import struct
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broadcaster.media.mp4_fragments import FragmentTable, fragment_table
from broadcaster.media.mp4_join import Join, is_same_format
from broadcaster.media.mp4_moved import moved_fragments
from broadcaster.media.mp4_reader import Mp4Error
from broadcaster.media.mp4_samples import FileSamples, read_samples
from tests.unit.recordings import ended, fragments, index_of, needs_ffprobe, opened, probe, reader, tracks

SECONDS = 6
COUNT = SECONDS * 5


def recording(*, audio: bool = True, late: int = 0) -> tuple[bytes, FileSamples, FragmentTable]:
    parts = fragments(COUNT, audio=audio, late=late)
    data = ended(opened(parts, audio=audio)[0], index_of(parts, audio=audio))
    samples = read_samples(reader(data))
    return data, samples, fragment_table(samples)


@pytest.mark.parametrize("audio", [True, False])
def test_ended_and_open_file_have_the_same_samples(audio):
    parts = fragments(COUNT, audio=audio)
    data, ends = opened(parts, audio=audio)
    found = read_samples(reader(ended(data, index_of(parts, audio=audio))))
    assert found == read_samples(reader(data))
    assert found.end == ends[-1]
    assert list(found.video.sizes) == [len(sample.data) for part in parts for sample in part.video]
    assert list(found.audio.sizes) == [len(sample.data) for part in parts for sample in part.audio]
    assert list(found.video.keyframes) == [sample.keyframe for part in parts for sample in part.video]
    assert found.video.end == pytest.approx(SECONDS)
    for chunk, part in zip(found.video.chunks(), parts, strict=True):
        assert data[chunk.offset : chunk.offset + len(part.video[0].data)] == part.video[0].data
        assert (chunk.time, chunk.keyframe) == (part.video[0].time, part.video[0].keyframe)


@pytest.mark.parametrize("late", [1500, 30_000])
def test_audio_that_begins_later_keeps_its_time(late):
    assert recording(late=late)[1].audio.start == pytest.approx(late, abs=24)  # the edit list counts milliseconds


def test_file_that_is_being_written_is_read_up_to_its_last_whole_fragment():
    data, ends = opened(fragments(COUNT))
    for size in (ends[9], ends[9] + 1, ends[9] + 500, ends[10] - 1):
        assert read_samples(reader(data[:size])).end == ends[9]


@given(st.integers(0), st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_file_is_read_or_refused(seed, draw):
    """Whatever the index says, what is returned lies in the file."""
    data = bytearray(recording()[0])
    generator = random.Random(seed)
    begin = draw.draw(st.sampled_from([0, struct.unpack_from(">Q", data, 40)[0] + 32]))
    for _ in range(generator.randrange(1, 6)):
        data[generator.randrange(begin, len(data))] = generator.choice([0, 1, 255, generator.randrange(256)])
    try:
        samples = read_samples(reader(bytes(data)))
        table = fragment_table(samples)
    except Mp4Error:
        return
    assert samples.end <= len(data)
    for place in range(len(table.times) - 1):
        span = table.span(place, place + 1)
        assert 0 <= span.offset <= span.offset + span.size <= samples.end
        assert span.duration >= 0


KINDS = b"stsz stts co64 stsc stss elst stbl trak hdlr moof traf tfhd tfdt trun mfhd".split()
PLACES = st.tuples(
    st.sampled_from(KINDS), st.integers(-1, 6), st.sampled_from([0, 1, 2, 9, 1 << 31, (1 << 32) - 1])
)  # fmt: skip


@given(st.booleans(), st.lists(PLACES, min_size=1, max_size=2), st.integers(0, 9))
@example(False, [(b"stsc", 2, 0)], 0)  # no chunk has samples
@example(True, [(b"tfdt", 3, (1 << 32) - 20_000)], 1)  # a pause that does not fit into its field
@settings(max_examples=300, deadline=None)
def test_impossible_numbers_raise_no_other_error(is_open, damage, which):
    """Films, exports and clips leave out a file for an `Mp4Error` only."""
    data = bytearray(opened(fragments(COUNT))[0] if is_open else recording()[0])
    for kind, field, number in damage:
        places = [found.start() for found in re.finditer(kind, data)]
        if places:
            struct.pack_into(">L", data, places[which * 2 % len(places)] + 4 * field, number)
    read_at = reader(bytes(data))
    with contextlib.suppress(Mp4Error):
        samples = read_samples(read_at)
        table = fragment_table(samples)
        if len(table.times) > 1:
            span = table.span(0, len(table.times) - 1)
            Join().add(samples, span, 0.0)
            list(moved_fragments(read_at, span.offset, span.offset + span.size, 90_000, 1))


@pytest.mark.parametrize("size", [0, 10, 47, 48, 100, 5000])
def test_truncated_file_is_refused(size):
    with pytest.raises(Mp4Error):
        read_samples(reader(recording()[0][:size]))


def test_places_to_begin_are_the_keyframes():
    _, samples, table = recording()
    assert list(table.times) == [second * 90_000 for second in range(SECONDS + 1)]
    assert table.duration == SECONDS
    assert table.offsets[-1] == samples.end
    assert table.has_audio


@pytest.mark.parametrize(
    ("start", "end", "inside", "places"),
    [
        (0, 6, False, (0, 6)),
        (-5, 99, False, (0, 6)),
        (1.5, 3.5, False, (1, 4)),
        (2, 3, False, (2, 3)),
        (2.1, 2.2, False, (2, 3)),
        (1.5, 3.5, True, (2, 4)),
        (2, 3, True, (2, 3)),
        (5.5, 6, True, (6, 6)),
        (6, 9, False, (0, 0)),
        (-9, 0, False, (0, 0)),
    ],
)
def test_part_goes_from_keyframe_to_keyframe(start, end, inside, places):
    assert recording()[2].between(start, end, inside=inside) == places


def test_spans_have_a_least_duration_and_leave_nothing_out():
    _, _, table = recording()
    spans = table.spans(1, 6, 1.5)
    assert [span.duration for span in spans] == [2, 2, 1]
    for span, following in itertools.pairwise(spans):
        assert span.offset + span.size == following.offset
        assert span.time + span.duration == pytest.approx(following.time)


def joined(*ranges: tuple[int, int], pause: float = 0.0, late: int = 0) -> bytes:
    """Return a file of parts of one recording, from place to place."""
    data, samples, table = recording(late=late)
    join, body = Join(), b""
    for first, last in ranges:
        span = table.span(first, last)
        join.add(samples, span, pause)
        body += data[span.offset : span.offset + span.size]
    return join.head() + body


@needs_ffprobe
@pytest.mark.parametrize("late", [0, 700])
@pytest.mark.parametrize(("ranges", "seconds"), [([(1, 4)], 3), ([(0, 2), (3, 6)], 5), ([(2, 3)] * 4, 4)])
def test_joined_file_plays(tmp_path, ranges, seconds, late):
    path = tmp_path / "joined.mp4"
    path.write_bytes(joined(*ranges, late=late))
    found = probe(path)
    video, audio = found["streams"]
    assert int(video["nb_read_frames"]) == seconds * 30
    assert float(found["format"]["duration"]) == pytest.approx(seconds, abs=0.03)
    assert float(video["duration"]) == pytest.approx(seconds, abs=0.001)
    assert float(audio["start_time"]) + float(audio["duration"]) == pytest.approx(seconds, abs=0.03)


def test_pause_prolongs_the_last_picture():
    data = joined((0, 2), (3, 5), pause=0.5)
    found = read_plain(data)
    assert found == pytest.approx(4.5)


def read_plain(data: bytes) -> float:
    """Return the duration in the `mvhd` of a file."""
    place = data.index(b"mvhd")
    rate, duration = struct.unpack_from(">2L", data, place + 16)
    return float(duration / rate)


def test_parts_with_other_parameter_sets_do_not_fit():
    one, other = tracks(), tracks(False)
    assert is_same_format(one, other)
    assert not is_same_format(one, replace(other, sps=(other.sps[0] + b"\x01",)))
    assert not is_same_format(one, replace(other, pps=(*other.pps, other.pps[0])))
