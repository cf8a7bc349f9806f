"""Chunks, the ring in memory, and the files that chunks go into."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.fakes import canned
from broadcaster.media.mp4 import tracks_of
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.outputs.recording.chunks import MAX_DURATION, MIN_DURATION, ChunkCollector
from broadcaster.outputs.recording.muxer import SegmentMuxer
from broadcaster.outputs.recording.ring import Ring
from broadcaster.outputs.recording.segmenter import Segmenter
from broadcaster.ports.recording import Chunk, Segment
from tests.unit.recordings import ended, needs_ffprobe, probe, tracks

FPS = canned.FPS
START = 1000.0
VIDEO_ONLY = tracks(False)


class Source:
    """Feeds pictures and audio into a collector, as a camera and a microphone do; audio comes `behind` seconds late."""

    def __init__(self, behind: float = 0.08, *, audio: bool = True) -> None:
        self.collector = ChunkCollector()
        self.chunks: list[Chunk] = []
        self.pictures = 0
        self.frames = 0
        self.tracks = VIDEO_ONLY
        self._behind = behind
        self._audio = audio

    def play(self, seconds: float, interval: float = 2.0, *, audio: bool = True) -> list[Chunk]:
        """Deliver so many seconds, with a keyframe every `interval` seconds; return the chunks that were completed."""
        first = len(self.chunks)
        for _ in range(round(seconds * FPS)):
            captured = START + self.pictures / FPS
            keyframe = self.pictures % round(interval * FPS) == 0
            unit = AccessUnit(canned.pictures()[0 if keyframe else 1], captured, keyframe)
            self._take(self.collector.picture(unit, self.tracks))
            self.pictures += 1
            while (self.frames + 1) / 50 + self._behind <= self.pictures / FPS:
                if self._audio and audio:
                    frame = OpusFrame(canned.audio_frames()[0], START + self.frames / 50)
                    self._take(self.collector.audio(frame))
                self.frames += 1
        return self.chunks[first:]

    def _take(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            self.chunks.append(chunk)


def test_chunk_ends_at_a_keyframe_with_all_audio_of_its_time():
    chunks = Source().play(7)
    assert [len(chunk.pictures) for chunk in chunks] == [60, 60, 60]
    assert [len(chunk.audio) for chunk in chunks] == [100, 100, 100]
    assert [chunk.begins_source for chunk in chunks] == [True, False, False]
    assert all(chunk.begins_with_keyframe for chunk in chunks)


def test_frequent_keyframes_do_not_make_short_chunks():
    chunks = Source().play(5, interval=0.5)
    assert [chunk.end - chunk.start for chunk in chunks] == [pytest.approx(MIN_DURATION)] * 4


def test_rare_keyframes_do_not_make_long_chunks():
    chunks = Source().play(9, interval=30.0)
    assert [chunk.end - chunk.start for chunk in chunks] == [pytest.approx(MAX_DURATION)] * 4
    assert [chunk.begins_with_keyframe for chunk in chunks] == [True, False, False, False]


def test_chunk_does_not_wait_for_a_microphone_that_is_silent():
    source = Source(audio=False)
    assert len(source.play(2 + 1 / FPS)) == 1
    source = Source()
    source.play(3)
    assert len(source.play(3 + 1 / FPS, audio=False)) == 2


def test_microphone_that_stops_within_a_chunk_delays_it_a_little():
    source = Source()
    source.play(1.5)
    assert not source.play(0.5 + 1 / FPS, audio=False)
    assert len(source.play(0.4, audio=False)) == 1


def test_flush_returns_everything():
    source = Source()
    source.play(2.05)
    chunks = [*source.chunks, *source.collector.flush()]
    assert sum(len(chunk.pictures) for chunk in chunks) == source.pictures
    assert chunks[-1].end == pytest.approx(START + source.pictures / FPS)
    first = source.play(5)[0]
    assert first.begins_source
    assert not source.collector.flush()[0].begins_source


def test_after_flush_a_keyframe_has_to_come():
    source = Source()
    source.play(3)
    source.collector.flush()
    assert not source.play(0.9)
    assert not source.collector.so_far()
    source.play(0.2)
    assert source.collector.so_far()[0].begins_source


def test_what_is_not_complete_can_be_seen_without_taking_it():
    source = Source()
    source.play(2.04)
    complete, unfinished = source.collector.so_far()
    assert len(complete.pictures) + len(unfinished.pictures) == source.pictures
    frames = [frame.captured for chunk in (complete, unfinished) for frame in chunk.audio]
    assert len(frames) == len(set(frames))
    (again,) = source.play(1)
    assert again.pictures == complete.pictures


def test_other_parameter_sets_end_the_chunk_at_once():
    source = Source()
    source.play(2.5)
    source.tracks = tracks_of(canned.pictures(640, 360)[0], audio=False)
    source.pictures = 120
    (chunk, *_) = source.play(0.5)
    assert chunk.tracks == VIDEO_ONLY
    assert source.collector.so_far()[0].tracks == source.tracks


def test_ring_holds_the_last_seconds():
    ring = Ring(30)
    for chunk in Source().play(60):
        ring.add(chunk)
    assert 30 <= ring.duration <= 33
    newest = ring.since(0)[-1].end
    chunks = ring.since(newest - 10)
    assert chunks[0].start <= newest - 10 < chunks[0].end
    assert not ring.since(newest)


def test_ring_begins_with_a_keyframe():
    ring = Ring(10)
    for chunk in Source().play(60, interval=8.0):
        ring.add(chunk)
        assert ring.since(0)[0].begins_with_keyframe
    assert 10 <= ring.duration <= 20
    assert ring.since(ring.since(0)[-1].start)[0].begins_with_keyframe


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=40), st.integers(1, 100))
def test_ring_never_holds_more_bytes_than_allowed(parts, limit):
    ring = Ring(1000, limit)
    for number, (keyframe, size) in enumerate(parts):
        unit = AccessUnit(bytes(size), number * 2.0, keyframe)
        ring.add(Chunk((unit,), (), number * 2 + 2.0, VIDEO_ONLY))
        chunks = ring.since(0)
        assert sum(chunk.size for chunk in chunks) <= limit
        assert not chunks or chunks[0].begins_with_keyframe


def place(segmenter: Segmenter, chunks: list[Chunk], *, audio: bool = False) -> list[Segment]:
    """Return the file of each chunk; those that end must have been begun."""
    files: list[Segment] = []
    for chunk in chunks:
        placement = segmenter.place(chunk, audio=audio)
        assert placement.ended is None or placement.ended is files[-1]
        assert placement.segment is not None
        assert placement.is_new == (not files or placement.segment is not files[-1])
        files.append(placement.segment)
    return files


def test_files_have_the_duration_of_the_setting():
    files = place(Segmenter(10), Source(audio=False).play(41))
    assert [files.count(file) for file in dict.fromkeys(files)] == [5, 5, 5, 5]


def test_file_ends_before_it_is_too_large_for_fat(monkeypatch):
    chunks = Source(audio=False).play(21)
    monkeypatch.setattr("broadcaster.outputs.recording.segmenter.MAX_FILE", 3 * chunks[0].size - 1)
    files = place(Segmenter(), chunks)
    assert [files.count(file) for file in dict.fromkeys(files)] == [3, 3, 3, 1]


def test_file_ends_where_the_source_does():
    source = Source(audio=False)
    source.play(3)
    source.chunks += source.collector.flush()
    source.play(4)
    files = place(Segmenter(300), source.chunks)
    assert len(dict.fromkeys(files)) == 2


def test_file_ends_where_the_size_changes():
    source = Source(audio=False)
    source.play(4)
    source.tracks = tracks_of(canned.pictures(640, 360)[0], audio=False)
    source.play(4)
    files = list(dict.fromkeys(place(Segmenter(300), source.chunks)))
    assert [file.tracks.format.width for file in files] == [320, 640]


def test_file_with_audio_begins_when_audio_appears():
    source = Source()
    source.play(4, audio=False)
    source.play(5)
    files = list(dict.fromkeys(place(Segmenter(300), source.chunks)))
    assert [file.tracks.audio for file in files] == [False, True]


def test_file_may_wait_for_its_audio():
    source = Source()
    source.play(4, audio=False)
    source.play(5)
    files = list(dict.fromkeys(place(Segmenter(300), source.chunks, audio=True)))
    assert [file.tracks.audio for file in files] == [True]


def test_chunk_without_keyframe_cannot_begin_a_file():
    chunks = Source(audio=False).play(9, interval=30.0)
    placement = Segmenter(300).place(chunks[1], audio=False)
    assert (placement.segment, placement.is_new) == (None, False)


def mux(chunks: list[Chunk], *, audio: bool = True) -> tuple[bytes, SegmentMuxer]:
    muxer = SegmentMuxer(Segment(chunks[0].start, replace(chunks[0].tracks, audio=audio)))
    data = b""
    for chunk in chunks:
        part = muxer.part(chunk)
        assert part is not None
        data += part.data
        muxer.written(part)
    return ended(data, muxer.index), muxer


@needs_ffprobe
def test_file_of_chunks_plays(tmp_path):
    data, muxer = mux(Source().play(9))
    (tmp_path / "a.mp4").write_bytes(data)
    found = probe(tmp_path / "a.mp4")
    assert [one["nb_read_frames"] for one in found["streams"]] == ["240", "400"]
    assert float(found["format"]["duration"]) == pytest.approx(8, abs=0.03)
    assert muxer.index.duration == pytest.approx(8, abs=0.03)


def test_picture_that_is_none_is_left_out():
    (chunk,) = Source(audio=False).play(2.1)
    junk = AccessUnit(b"\x13garbage\0\0\0garbage", chunk.pictures[3].captured, keyframe=False)
    broken = replace(chunk, pictures=(*chunk.pictures[:3], junk, *chunk.pictures[4:]))
    part = SegmentMuxer(Segment(chunk.start, chunk.tracks)).part(broken)
    assert part is not None
    assert len(part.content.video) == 59
    assert part.content.video[2].duration == 6000
    assert sum(sample.duration for sample in part.content.video) == 180_000
    only_junk = replace(chunk, pictures=(junk,))
    assert SegmentMuxer(Segment(chunk.start, chunk.tracks)).part(only_junk) is None


@given(st.lists(st.floats(-1, 3), min_size=1, max_size=30))
def test_times_never_go_back(steps):
    """Whatever capture times a source delivers."""
    captured, units = START, []
    for step in [0.0, *steps]:
        captured += step
        units.append(AccessUnit(canned.pictures()[0], captured, keyframe=True))
    chunk = Chunk(tuple(units), (), captured, VIDEO_ONLY)
    part = SegmentMuxer(Segment(START, VIDEO_ONLY)).part(chunk)
    assert part is not None
    ends = [sample.time + sample.duration for sample in part.content.video]
    assert [sample.time for sample in part.content.video][1:] == ends[:-1]
    assert all(sample.duration >= 0 for sample in part.content.video)


def test_audio_that_was_lost_is_silence_or_a_gap():
    source = Source()
    source.play(3)
    source.play(1, audio=False)
    source.play(2)
    source.play(5, audio=False)
    source.play(5)
    _, muxer = mux(source.chunks)
    assert muxer.index.duration == pytest.approx(14, abs=0.05)
