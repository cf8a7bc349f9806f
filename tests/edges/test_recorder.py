"""The recorder on a real folder: when it records, where files begin and end, clips, and what a failing disk costs."""

import asyncio
import logging
import os
import shutil

import av
import pytest

from broadcaster.devices.fakes import canned
from broadcaster.devices.opus import RATE
from broadcaster.errors import RecordError
from broadcaster.model.recording import RecorderState
from broadcaster.model.stream import AccessUnit, AudioState, OpusFrame, StreamState
from broadcaster.storage.recordings.index import Index
from broadcaster.storage.recordings.store import RETRY_AFTER
from tests.edges.recorder_rig import RecorderRig, recording
from tests.rigs.sound_card import CLICK_EVERY, START, ClickingCard, click_in

HOUR = 3600
LIP_SYNC = 0.040
"""Maximum offset in seconds between audio and video."""


def state(rig: RecorderRig) -> RecorderState:
    return rig.recorder.stats().state


async def test_records_while_live(tmp_path):
    async with recording(tmp_path) as rig:
        assert state(rig) is RecorderState.WAITING
        rig.go_live()
        rig.play(7)
        assert state(rig) is RecorderState.RECORDING
        rig.go_offline()
        assert state(rig) is RecorderState.WAITING
        rig.clock.advance(100)
        rig.go_live()
        rig.play(3)
        assert await rig.finish() == [7.0, 3.0]


async def test_file_is_ended_when_the_stream_goes_offline(tmp_path):
    async with recording(tmp_path) as rig:
        rig.go_live()
        rig.play(5)
        rig.go_offline()
        async with asyncio.timeout(10):
            while not rig.store.recordings or rig.store.recordings[0].open:
                await asyncio.sleep(0.005)
        assert rig.files.durations() == [pytest.approx(5, abs=0.03)]


async def test_all_pictures_and_audio_are_in_the_files(tmp_path):
    async with recording(tmp_path, segment=10) as rig:
        rig.go_live()
        rig.play(35)
        assert await rig.finish() == [10.0, 10.0, 10.0, 5.0]
    counts = {"video": 0, "audio": 0}
    for name in rig.files.names():
        with av.open(rig.files.path / name) as file:
            for packet in file.demux():
                counts[packet.stream.type] += packet.size > 0
    assert counts["video"] == 35 * 30
    assert 35 * 50 - 4 <= counts["audio"] <= 35 * 50  # at each new file, a frame may begin before the video


@pytest.mark.parametrize("ppm", [200, pytest.param(-200, marks=pytest.mark.long)])
async def test_audio_and_video_stay_in_step_for_an_hour_with_a_drifting_microphone(tmp_path, monkeypatch, ppm):
    """The card's clock is off, it loses samples, and its process stalls: clicks are where they were heard.

    A picture each second; the audio is not encoded: a frame's payload is the place of the click in it.
    """
    card, keyframe = ClickingCard(ppm, HOUR), canned.pictures()[0]
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)  # an hour of them takes a minute
    async with recording(tmp_path, segment=2 * HOUR, clip=0) as rig:
        rig.go_live()
        for at, frame, captured in card.frames():
            while rig.clock.monotonic() + 1 <= at:
                rig.hub.publish_video(AccessUnit(keyframe, rig.clock.monotonic(), True))
                rig.clock.advance(1)
                await asyncio.sleep(0)
            rig.hub.publish_audio(OpusFrame(str(click_in(frame)).encode(), captured))
        await rig.written()
        assert await rig.finish() == [pytest.approx(HOUR, abs=2)]
    offsets, pictures = [], []
    with av.open(rig.files.path / rig.files.names()[0]) as file:
        for packet in file.demux():
            if packet.stream.type == "video" and packet.size:
                pictures.append(float(packet.pts * packet.time_base))
            elif packet.size and (text := bytes(packet)).isdigit():
                offsets.append(card.offset(START + float(packet.pts * packet.time_base) + int(text) / RATE))
    assert pictures == list(range(len(pictures)))
    assert len(offsets) > HOUR / CLICK_EVERY - 5
    assert max(abs(offset) for offset in offsets if offset is not None) < LIP_SYNC


async def test_source_that_restarts_every_ten_seconds_makes_a_file_each_time(tmp_path):
    async with recording(tmp_path) as rig:
        for _ in range(12):
            rig.go_live()
            rig.play(5)
            rig.go_offline(StreamState.FAILED)
            rig.clock.advance(5)
        assert await rig.finish() == [5.0] * 12


async def test_change_of_the_size_begins_a_file(tmp_path):
    async with recording(tmp_path) as rig:
        rig.go_live()
        rig.play(3)
        rig.size = (640, 360)
        rig.play(4)
        assert await rig.finish() == [3.0, 4.0]
    widths = []
    for name in rig.files.names():
        with av.open(rig.files.path / name) as file:
            widths.append(file.streams.video[0].width)
            assert len(list(file.decode(video=0))) in (90, 120)
    assert widths == [320, 640]


async def test_video_without_audio(tmp_path):
    async with recording(tmp_path) as rig:
        rig.stream.status = rig.stream.status.__class__(StreamState.OFFLINE, 0.0, AudioState.NONE)
        rig.go_live()
        rig.play(4, audio=False)
        assert await rig.finish() == [4.0]
    with av.open(rig.files.path / rig.files.names()[0]) as file:
        assert [stream.type for stream in file.streams] == ["video"]


async def test_microphone_that_is_lost_and_returns_stays_in_the_same_file(tmp_path):
    async with recording(tmp_path) as rig:
        rig.go_live()
        rig.play(4)
        rig.play(5, audio=False)
        rig.play(4)
        assert await rig.finish() == [13.0]


async def test_keyframe_that_cannot_be_recorded_is_named_once(tmp_path, caplog):
    async with recording(tmp_path) as rig:
        rig.go_live()
        for _ in range(5):
            rig.hub.publish_video(AccessUnit(b"\0\0\1\x67\x42\0\0\1\x68\xce\0\0\1\x65abc", rig.clock.monotonic(), True))
            rig.clock.advance(1)
        rig.play(2)
        assert await rig.finish() == [2.0]
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "cannot be recorded" in warnings[0]


async def test_recording_on_demand_begins_before_it_is_requested(tmp_path):
    async with recording(tmp_path, "demand", before=10) as rig:
        rig.go_live()
        rig.play(40)
        assert state(rig) is RecorderState.OFF
        assert rig.recorder.stats().in_memory >= 10
        rig.recorder.set_recording(True)
        rig.play(5)
        assert state(rig) is RecorderState.RECORDING
        rig.recorder.set_recording(False)
        rig.play(5)
        (duration,) = await rig.finish()
        assert 14.5 <= duration <= 17


async def test_what_was_recorded_is_not_recorded_twice(tmp_path):
    async with recording(tmp_path, "demand", before=30) as rig:
        rig.go_live()
        rig.play(10)
        rig.recorder.set_recording(True)
        rig.recorder.set_recording(True)
        rig.play(5)
        rig.recorder.set_recording(False)
        rig.play(2)
        rig.recorder.set_recording(True)
        rig.play(5)
        assert sum(await rig.finish()) == pytest.approx(22, abs=2.1)


async def test_recording_on_demand_ends_when_the_stream_is_offline(tmp_path):
    async with recording(tmp_path, "demand") as rig:
        rig.go_live()
        rig.recorder.set_recording(True)
        rig.play(4)
        rig.go_offline(StreamState.FAILED)
        rig.go_live()
        rig.play(4)
        rig.go_offline()
        assert state(rig) is RecorderState.OFF
        rig.go_live()
        rig.play(4)
        assert await rig.finish() == [4.0, 4.0]


async def test_what_is_in_memory_is_recorded_and_ended_while_offline(tmp_path):
    async with recording(tmp_path, "demand", before=10) as rig:
        rig.go_live()
        rig.play(10)
        rig.go_offline()
        rig.recorder.set_recording(True)
        assert state(rig) is RecorderState.WAITING
        rig.go_live()
        rig.play(4)
        assert len(await rig.finish()) == 2


async def test_recording_can_be_stopped_while_live(tmp_path):
    async with recording(tmp_path) as rig:
        rig.go_live()
        rig.play(3.5)
        rig.recorder.set_recording(False)
        rig.play(10)
        rig.recorder.set_recording(True)
        rig.play(4)
        first, second = await rig.finish()
        assert first == 3.5
        assert 2 <= second <= 4


async def test_clip_holds_the_last_seconds_up_to_the_request(tmp_path):
    async with recording(tmp_path, "demand", clip=20) as rig:
        rig.go_live()
        rig.play(60.7)
        clip = await rig.recorder.clip()
        assert 20.5 <= clip.duration <= 22.8
        assert clip.files == (rig.files.names()[0],)
        assert "_kept" in clip.files[0]
        assert rig.files.duration(clip.files[0]) == pytest.approx(clip.duration, abs=0.01)
        assert not any(one.open for one in rig.store.recordings)


async def test_clips_while_recording(tmp_path):
    async with recording(tmp_path, clip=5) as rig:
        rig.go_live()
        rig.play(10)
        clips = await asyncio.gather(rig.recorder.clip(), rig.recorder.clip())
        assert clips[0] is clips[1]
        rig.play(10)
        await rig.recorder.clip()
        names = rig.files.names()
        assert await rig.finish() == [20.0, *(pytest.approx(6.5, abs=1.6) for _ in range(2))]
        assert ["_kept" in name for name in names] == [False, True, True]


async def test_clip_after_the_stream_has_ended(tmp_path):
    async with recording(tmp_path, "demand", clip=20) as rig:
        rig.go_live()
        rig.play(10)
        rig.go_offline()
        rig.clock.advance(5)
        assert (await rig.recorder.clip()).duration == pytest.approx(10, abs=0.05)
        rig.clock.advance(20)
        with pytest.raises(RecordError, match="nothing to keep"):
            await rig.recorder.clip()


async def test_clip_of_no_seconds_is_refused(tmp_path):
    async with recording(tmp_path, clip=0) as rig:
        rig.go_live()
        rig.play(5)
        assert rig.recorder.stats().in_memory <= 2.1
        with pytest.raises(RecordError, match=r"record\.clip"):
            await rig.recorder.clip()


async def test_clip_that_fails_when_nobody_waits_any_longer_is_no_bug(tmp_path):
    async with recording(tmp_path) as rig:
        waiting = asyncio.create_task(rig.recorder.clip())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        with pytest.raises(RecordError):
            await rig.recorder.clip()


async def test_clip_over_a_change_of_the_source_has_two_files(tmp_path):
    async with recording(tmp_path, "demand", clip=20) as rig:
        rig.go_live()
        rig.play(6)
        rig.go_offline(StreamState.FAILED)
        rig.go_live()
        rig.play(6)
        clip = await rig.recorder.clip()
        assert len(clip.files) == 2
        assert clip.duration == pytest.approx(12, abs=0.1)


async def test_bug_in_the_recorder_ends_one_subscription(tmp_path, monkeypatch):
    monkeypatch.setattr("broadcaster.outputs.subscription.RESUBSCRIBE_AFTER", 0.01)
    async with recording(tmp_path) as rig:
        rig.go_live()
        rig.play(3)
        rig.hub.publish_audio(None)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        rig.play(3)
        durations = await rig.finish()
        assert len(durations) == 2
        assert sum(durations) >= 4


async def test_folder_that_is_deleted_costs_a_gap(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with recording(tmp_path) as rig:
        rig.go_live()
        rig.play(4)
        await rig.written()
        shutil.rmtree(rig.files.path)
        for _ in range(5):
            rig.play(1)
            await rig.written()
        assert state(rig) is RecorderState.FAILED
        assert "deleted" in rig.recorder.stats().store.problem
        for _ in range(round(RETRY_AFTER) + 5):
            rig.play(1)
            await rig.written()
        assert state(rig) is RecorderState.RECORDING
        stats = rig.recorder.stats()
        assert stats.gaps == 1
        assert RETRY_AFTER - 3 < stats.lost < RETRY_AFTER + 5
        (duration,) = await rig.finish()
        assert 2 < duration < 8
    index = Index(rig.files.path)
    (gap,), _ = index.notes()
    index.close()
    assert gap.end - gap.start == pytest.approx(stats.lost, abs=2.1)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "nothing was recorded for" in caplog.text


async def test_disk_that_is_too_slow_ends_the_file_and_costs_a_gap(tmp_path, caplog):
    rig = RecorderRig(tmp_path, "live")
    rig.store._max_waiting = 600_000
    start, rig.store.start = rig.store.start, lambda: None  # the thread begins late, as if the disk did not respond
    await rig.recorder.start()
    rig.go_live()
    rig.play(20)
    assert state(rig) is RecorderState.FAILED
    assert [record.getMessage() for record in caplog.records] == ["recording interrupted: the disk is too slow"]
    start()
    await rig.written()
    for _ in range(5):
        rig.play(1)
        await rig.written()
    assert state(rig) is RecorderState.RECORDING
    durations = await rig.finish()
    assert len(durations) == 2
    assert sum(durations) + rig.recorder.stats().lost == pytest.approx(25, abs=2.5)
    assert rig.recorder.stats().gaps == 1
