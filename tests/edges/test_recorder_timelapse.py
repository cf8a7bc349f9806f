"""The timelapse: which keyframes are in which file, and that the files play."""

import asyncio
import os
import time

import av
import pytest

from broadcaster.devices.fakes import canned
from broadcaster.model.recording import RecordingKind
from broadcaster.model.stream import AccessUnit, StreamState
from broadcaster.outputs.recording import timelapse as module
from broadcaster.outputs.recording.timelapse import PICTURE
from tests.edges.app_rig import served
from tests.edges.recording_rig import NOON, Files
from tests.edges.timelapse_rig import running
from tests.unit.recordings import needs_ffprobe, probe

DAY = 86_400


@needs_ffprobe
async def test_one_keyframe_per_interval_plays_for_a_fifteenth_of_a_second(tmp_path):
    async with running(tmp_path) as rig:
        rig.play(31)
        assert await rig.finish() == [4]
        (recording,) = rig.store.recordings
    assert (recording.kind, recording.started) == (RecordingKind.TIMELAPSE, pytest.approx(NOON))
    assert recording.name.endswith("_timelapse.mp4")
    found = probe(rig.files.path / recording.name)
    assert [one["nb_read_frames"] for one in found["streams"]] == ["4"]
    assert float(found["format"]["duration"]) == pytest.approx(4 * PICTURE, abs=0.002)
    with av.open(rig.files.path / recording.name) as file:
        data = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    assert len(set(data)) == 1, "as they are: nothing was encoded"


@pytest.mark.parametrize(("interval", "every", "pictures"), [(5, 2, 120), (1, 2, 300), (60, 1, 10), (7.5, 2, 80)])
async def test_pictures_are_as_far_apart_as_they_should_be_on_average(tmp_path, interval, every, pictures):
    async with running(tmp_path, interval) as rig:
        rig.keyframes(600, every)
        assert await rig.finish() == [pytest.approx(pictures, abs=1)]


async def test_pause_is_not_caught_up(tmp_path):
    async with running(tmp_path) as rig:
        rig.keyframes(20)
        rig.go_offline(StreamState.FAILED)
        rig.clock.advance(1000)
        rig.go_live()
        rig.keyframes(20)
        assert await rig.finish() == [4], "in one file: the source was opened again, that is all"


async def test_file_ends_when_the_stream_goes_offline(tmp_path):
    async with running(tmp_path) as rig:
        rig.keyframes(30)
        rig.go_offline()
        async with asyncio.timeout(10):
            while not rig.store.recordings or rig.store.recordings[0].open:
                await asyncio.sleep(0.005)
        rig.clock.advance(60)
        rig.go_live()
        rig.keyframes(20)
        assert await rig.finish() == [3, 2]


async def test_another_size_begins_a_file(tmp_path):
    async with running(tmp_path) as rig:
        rig.keyframes(20)
        rig.size = (640, 360)
        rig.keyframes(20)
        assert await rig.finish() == [2, 2]


async def test_each_local_day_has_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    async with running(tmp_path, 3600) as rig:
        rig.keyframes(3 * DAY, 3600)
        assert await rig.finish() == [12, 24, 24, 12]
    monkeypatch.undo()
    time.tzset()


async def test_file_has_a_limit_of_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE", 3 * len(canned.pictures()[0]))
    async with running(tmp_path) as rig:
        rig.keyframes(80)
        assert await rig.finish() == [3, 3, 2]


async def test_keyframe_that_is_none_is_omitted(tmp_path):
    async with running(tmp_path) as rig:
        rig.keyframes(20)
        rig.hub.publish_video(AccessUnit(b"\0\0\1\x65garbage", rig.clock.monotonic(), keyframe=True))
        rig.clock.advance(10)
        rig.keyframes(10)
        assert await rig.finish() == [3]


async def test_disk_that_fails_costs_pictures_only(tmp_path):
    async with running(tmp_path) as rig:
        rig.keyframes(20)
        await rig.written()
        for name in rig.files.names():
            (rig.files.path / name).unlink()
        for _ in range(6):
            rig.keyframes(10)
            await rig.written()
        assert rig.timelapse.report()["problem"] == ""
        assert sum(await rig.finish()) in (3, 4, 5)


async def test_beside_a_recording_each_has_its_own_file(tmp_path):
    async with running(tmp_path) as rig:
        rig.recorder.set_recording(True)
        rig.play(21)
        rig.timelapse.close()
        await rig.recorder.close()
        kinds = {one.kind: round(one.duration, 1) for one in rig.store.recordings}
    assert kinds == {RecordingKind.VIDEO: 21.0, RecordingKind.TIMELAPSE: 0.2}


async def test_timelapse_without_the_recorder(tmp_path):
    files = Files(tmp_path / "recordings")
    more = ("record.timelapse=0.5", "record.keep_free=0", "video.keyframe_interval=0.5")
    async with served(tmp_path, "test", *more) as daemon:
        async with asyncio.timeout(20):
            while (status := await daemon.until("live"))["timelapse"]["pictures"] < 3:
                await asyncio.sleep(0.05)
        assert "recorder" not in status
    (duration,) = files.durations()
    assert duration >= 3 * PICTURE - 0.002
    assert os.listdir(tmp_path / "recordings")
