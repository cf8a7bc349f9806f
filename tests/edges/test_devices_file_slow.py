"""A machine that decodes, reads or encodes a film too slowly: pictures are left out evenly, and the sound goes on."""

from itertools import pairwise

import pytest

from broadcaster.devices.file import pipelines
from broadcaster.devices.file.demuxer import Demuxer
from broadcaster.devices.file.timeline import TOLERANCE
from broadcaster.devices.file.track_reader import TrackReader
from tests.edges.devices_rig import decoded
from tests.edges.file_rig import ManualClock, Playing, film

FPS = 25
SECONDS = 16
FILMS = {
    "B pictures": {"profile": "high", "preset": "ultrafast", "g": "200", "bf": "3", "sc_threshold": "0"},
    "P pictures": {"profile": "high", "preset": "ultrafast", "g": "50", "bf": "0", "sc_threshold": "0"},
    "keyframes only": {"profile": "high", "preset": "ultrafast", "g": "1", "bf": "0"},
}


@pytest.fixture(scope="module", params=FILMS.values(), ids=FILMS.keys())
def path(request, tmp_path_factory):
    """A film of `SECONDS` of one structure."""
    moments = (index / FPS for index in range(SECONDS * FPS))
    return film(tmp_path_factory.mktemp("films") / "a.mp4", moments, options=request.param, size=(64, 48))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def slow_decoding(monkeypatch, clock):
    """Makes each decoded picture take that share of the time that it is shown."""

    def slow(factor):
        frames = TrackReader.frames

        def slowed(run):
            for frame in frames(run):
                clock.now += factor / FPS
                yield frame

        monkeypatch.setattr(TrackReader, "frames", slowed)

    return slow


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 1.5, 2.0])
def test_slow_decoding_leaves_out_pictures_evenly_and_keeps_the_timeline(path, clock, slow_decoding, factor):
    slow_decoding(factor)
    playing = Playing(path, SECONDS, clock=clock, size=(64, 48))
    possible = min(FPS, FPS / factor)
    assert len(playing.units) / SECONDS > 0.85 * possible
    assert playing.moved == 0.0
    assert max(playing.steps) <= (0.05 if factor < 1 else TOLERANCE + 0.1)
    assert len(decoded(playing.units)) == len(playing.units)


def test_decoding_that_is_hopelessly_slow_still_shows_what_it_can(path, clock, slow_decoding):
    slow_decoding(6.0)
    playing = Playing(path, SECONDS, clock=clock, size=(64, 48))
    assert len(playing.units) / SECONDS > 0.8 * FPS / 6
    assert max(playing.steps) <= 1.0


def test_a_machine_that_slept_goes_on_where_it_was(path, clock, monkeypatch):
    slept = []

    def sleep(unit):
        if clock.now > 1003 and not slept:
            slept.append(clock.now)
            clock.now += 60

    playing = Playing(path, 70, sleep, clock=clock, size=(64, 48))
    assert playing.moved == pytest.approx(60, abs=0.2)
    assert all((after - before) % (SECONDS * FPS) % 256 <= 2 for before, after in pairwise(playing.numbers()))


def test_slow_storage_makes_the_timeline_wait(path, clock, monkeypatch):
    """Skipping ahead would read even more."""
    packets = Demuxer.packets

    def slowed(demuxer):
        for packet in packets(demuxer):
            clock.now += 3 / FPS
            demuxer.read_time = 3 / FPS
            yield packet

    monkeypatch.setattr(Demuxer, "packets", slowed)
    playing = Playing(path, SECONDS, clock=clock, size=(64, 48))
    lasted = playing.times[-1] - playing.times[0]
    assert playing.moved > lasted / 3
    assert len(playing.units) / lasted > 0.8 * FPS / 3


def test_where_encoding_is_too_slow_pictures_are_left_out_without_a_pause(path, clock, monkeypatch):
    units = pipelines.Transcoder.access_units

    def slowed(transcoder, picture, captured):
        clock.now += 1.5 / FPS
        transcoder._encoding_time = 1.5 / FPS
        return units(transcoder, picture, captured)

    monkeypatch.setattr(pipelines.Transcoder, "access_units", slowed)
    playing = Playing(path, SECONDS, clock=clock, size=(64, 48))
    assert playing.moved == 0.0
    assert len(playing.units) / SECONDS > 0.85 * FPS / 1.5
    assert max(playing.steps) <= 3.1 / FPS
