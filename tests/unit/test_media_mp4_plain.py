"""Recordings that were ended: ffprobe and libav read the same samples as were written, and seek."""

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.fakes import canned
from broadcaster.media.mp4 import Fragment, Sample, length_prefixed
from broadcaster.media.mp4_mend import closed_duration
from broadcaster.media.mp4_plain import MARK_OFFSET, OPEN, MovieIndex
from broadcaster.media.mp4_reader import Mp4Error
from tests.unit.recordings import (
    PICTURES_PER_FRAGMENT,
    VIDEO_TICKS,
    ended,
    fragments,
    index_of,
    needs_ffprobe,
    opened,
    probe,
    reader,
    tracks,
)


def written(parts, *, audio=True) -> bytes:
    return ended(opened(parts, audio=audio)[0], index_of(parts, audio=audio))


@needs_ffprobe
@pytest.mark.parametrize("audio", [True, False])
def test_ffprobe_reads_all_samples(tmp_path, audio):
    parts = fragments(10, audio=audio)
    (tmp_path / "a.mp4").write_bytes(written(parts, audio=audio))
    found = probe(tmp_path / "a.mp4")
    assert [one["nb_read_frames"] for one in found["streams"]] == (["60", "100"] if audio else ["60"])
    assert [float(one["duration"]) for one in found["streams"]] == [pytest.approx(2.0)] * (2 if audio else 1)
    assert float(found["format"]["duration"]) == pytest.approx(2.0)


@needs_ffprobe
def test_recording_plays_while_it_is_written(tmp_path):
    (tmp_path / "a.mp4").write_bytes(opened(fragments(10))[0])
    assert [one["nb_read_frames"] for one in probe(tmp_path / "a.mp4")["streams"]] == ["60", "100"]


def test_samples_are_found_at_their_places(tmp_path):
    parts = fragments(7)
    (tmp_path / "a.mp4").write_bytes(written(parts))
    with av.open(tmp_path / "a.mp4") as file:
        packets = [packet for packet in file.demux() if packet.size]
        video = [packet for packet in packets if packet.stream.type == "video"]
        audio = [packet for packet in packets if packet.stream.type == "audio"]
        assert [bytes(packet) for packet in video] == [sample.data for part in parts for sample in part.video]
        assert [bytes(packet) for packet in audio] == [sample.data for part in parts for sample in part.audio]
        assert [packet.pts for packet in video] == [sample.time for part in parts for sample in part.video]
        assert [packet.is_keyframe for packet in video] == [index % 30 == 0 for index in range(len(video))]


def test_audio_that_begins_later_stays_in_step(tmp_path):
    parts = fragments(5, late=4800)
    (tmp_path / "a.mp4").write_bytes(written(parts))
    with av.open(tmp_path / "a.mp4") as file:
        first = next(packet for packet in file.demux() if packet.stream.type == "audio")
        assert first.pts is not None
        assert float(first.pts * first.time_base) == pytest.approx(0.1, abs=0.001)


def test_gap_prolongs_the_sample_before(tmp_path):
    parts = fragments(3)
    later = [
        Fragment(number + 3, tuple(Sample(s.data, s.time + 15 * 90_000, s.duration, s.keyframe) for s in part.video))
        for number, part in enumerate(fragments(2), 1)
    ]
    (tmp_path / "a.mp4").write_bytes(written((*parts, *later)))
    with av.open(tmp_path / "a.mp4") as file:
        times = [packet.pts for packet in file.demux(file.streams.video[0]) if packet.size]
    expected = [sample.time for part in (*parts, *later) for sample in part.video]
    assert times == expected


def test_seek_finds_the_keyframe(tmp_path):
    (tmp_path / "a.mp4").write_bytes(written(fragments(20)))
    with av.open(tmp_path / "a.mp4") as file:
        file.seek(2_500_000)
        assert next(file.decode(video=0)).time == 2.0


durations = st.lists(st.integers(1, 20_000), min_size=1, max_size=8)


@given(st.lists(durations, min_size=1, max_size=5), st.integers(0, 90_000))
def test_tables_hold_any_durations_and_gaps(lists, gap):
    """The samples of each fragment follow each other, and fragments follow with any gap."""
    keyframe, time, parts = length_prefixed(canned.pictures()[0]), 0, []
    for number, ticks in enumerate(lists, 1):
        video = []
        for duration in ticks:
            video.append(Sample(keyframe, time, duration))
            time += duration
        time += gap
        parts.append(Fragment(number, tuple(video)))
    index = MovieIndex(tracks(False))
    for part in parts:
        index.add(part, 1 << 20)
    assert index.duration == pytest.approx((time - gap) / 90_000)
    data = index.movie()
    start = data.index(b"stts") + 8
    count = int.from_bytes(data[start : start + 4], "big")
    rows = [data[start + 4 + 8 * row : start + 12 + 8 * row] for row in range(count)]
    runs = [(int.from_bytes(row[:4], "big"), int.from_bytes(row[4:], "big")) for row in rows]
    found = [duration for length, duration in runs for _ in range(length)]
    expected = [duration for ticks in lists for duration in (*ticks[:-1], ticks[-1] + gap)]
    expected[-1] -= gap
    assert found == expected


def test_duration_is_read_of_ended_files_only():
    parts = fragments(10)
    data = written(parts)
    assert closed_duration(reader(data)) == 2.0
    unfinished = opened(parts)[0]
    for other in (unfinished, data[:-1], data[: len(unfinished)], unfinished[:20], b"", bytes(100), b"junk" * 100):
        with pytest.raises(Mp4Error):
            closed_duration(reader(other))


def test_only_the_mark_changes_when_the_file_is_ended():
    parts = fragments(3)
    before, after = opened(parts)[0], written(parts)
    assert before[MARK_OFFSET : MARK_OFFSET + 16] == OPEN
    assert after[:MARK_OFFSET] == before[:MARK_OFFSET]
    assert after[MARK_OFFSET + 16 : len(before)] == before[MARK_OFFSET + 16 :]


def test_tables_are_small():
    parts = fragments(150)
    data = opened(parts)[0]
    assert PICTURES_PER_FRAGMENT * VIDEO_TICKS == 18_000
    assert len(index_of(parts).movie()) < 0.03 * len(data)  # at 170 kbit/s; 0.2 % at 2.5 Mbit/s
