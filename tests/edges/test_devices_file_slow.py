"""Playback when decoding, reading or encoding is too slow: pictures are skipped evenly, the audio continues."""

import os
from itertools import pairwise
from types import SimpleNamespace

import pytest

from broadcaster.devices.file import demuxer, pipelines
from broadcaster.devices.file.timeline import TOLERANCE
from broadcaster.devices.file.track_reader import TrackReader
from tests.edges.devices_rig import decoded
from tests.edges.file_rig import ManualClock, Playback, write_video

FPS = 25
SECONDS = 16
ENCODINGS = {
    "B-frames": {"profile": "high", "preset": "ultrafast", "g": "200", "bf": "3", "sc_threshold": "0"},
    "P-frames": {"profile": "high", "preset": "ultrafast", "g": "50", "bf": "0", "sc_threshold": "0", "coder": "1"},
    "keyframes only": {"profile": "high", "preset": "ultrafast", "g": "1", "bf": "0", "coder": "1"},
}


@pytest.fixture(scope="module", params=ENCODINGS.values(), ids=ENCODINGS.keys())
def path(request, tmp_path_factory):
    """A video of `SECONDS`, for each GOP structure."""
    times = (index / FPS for index in range(SECONDS * FPS))
    return write_video(tmp_path_factory.mktemp("videos") / "a.mp4", times, options=request.param, size=(64, 48))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def slow_decoding(monkeypatch, clock):
    """Makes decoding take a multiple of the frame interval per picture; encoding takes no time."""

    def slow(factor):
        frames = TrackReader.frames

        def slowed(run):
            for frame in frames(run):
                clock.now += factor / FPS
                yield frame

        monkeypatch.setattr(TrackReader, "frames", slowed)
        monkeypatch.setattr(pipelines, "time", SimpleNamespace(perf_counter=clock.monotonic))

    return slow


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 1.5, 2.0])
def test_slow_decoding_skips_pictures_evenly_and_keeps_the_timeline(path, clock, slow_decoding, factor):
    slow_decoding(factor)
    playback = Playback(path, SECONDS, clock=clock, size=(64, 48))
    possible = min(FPS, FPS / factor)
    assert len(playback.units) / SECONDS > 0.85 * possible
    assert playback.timeline_shift == 0.0
    assert max(playback.steps) <= (0.05 if factor < 1 else TOLERANCE + 0.1)
    assert len(decoded(playback.units)) == len(playback.units)


def test_very_slow_decoding_still_shows_pictures(path, clock, slow_decoding):
    slow_decoding(6.0)
    playback = Playback(path, SECONDS, clock=clock, size=(64, 48))
    assert len(playback.units) / SECONDS > 0.8 * FPS / 6
    assert max(playback.steps) <= 1.0


def test_playback_continues_where_it_was_after_suspend(path, clock):
    suspended = []

    def suspend(unit):
        if clock.now > 1003 and not suspended:
            suspended.append(clock.now)
            clock.now += 60

    playback = Playback(path, 70, suspend, clock=clock, size=(64, 48))
    assert playback.timeline_shift == pytest.approx(60, abs=0.2)
    assert all((after - before) % (SECONDS * FPS) % 256 <= 2 for before, after in pairwise(playback.numbers()))


@pytest.fixture
def one_processor():
    """Let libav decode in one thread, wherever the test runs: each thread reads a packet ahead."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_processor")
def test_slow_storage_moves_the_timeline(path, clock, monkeypatch):
    """All pictures are shown, in every loop: reading ahead to skip some would take even longer."""
    seconds_per_packet = 3 / FPS
    demux, access_units = demuxer.demux, pipelines.Transcoder.access_units

    def slow_demux(*arguments):
        for index, packet in enumerate(demux(*arguments)):
            clock.now += seconds_per_packet if index > 1 else 0.0  # libav has read the first ones to open the file
            yield packet

    def encode(transcoder, picture, captured):
        units = list(access_units(transcoder, picture, captured))
        transcoder._encoding_time = 0.5 / FPS
        return iter(units)

    for module in (demuxer, pipelines):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock.monotonic))
    monkeypatch.setattr(demuxer, "demux", slow_demux)
    monkeypatch.setattr(pipelines.Transcoder, "access_units", encode)
    playback = Playback(path, 2.5 * SECONDS * FPS * seconds_per_packet, clock=clock, size=(64, 48))
    duration = playback.times[-1] - playback.times[0]
    assert playback.timeline_shift > duration / 3
    assert len(playback.units) / duration > 0.95 / seconds_per_packet
    assert max(playback.steps) <= TOLERANCE + seconds_per_packet + 0.1


def test_slow_encoding_skips_pictures_without_a_pause(path, clock, monkeypatch):
    access_units = pipelines.Transcoder.access_units

    def slowed(transcoder, picture, captured):
        clock.now += 1.5 / FPS
        transcoder._encoding_time = 1.5 / FPS
        return access_units(transcoder, picture, captured)

    monkeypatch.setattr(pipelines.Transcoder, "access_units", slowed)
    playback = Playback(path, SECONDS, clock=clock, size=(64, 48))
    assert playback.timeline_shift == 0.0
    assert len(playback.units) / SECONDS > 0.85 * FPS / 1.5
    assert max(playback.steps) <= 3.1 / FPS
