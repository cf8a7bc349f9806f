"""Clips of what was recorded: copied into the folder while recording goes on, whole or not there at all."""

import asyncio
import contextlib
import io
import os
import shutil
import time
from functools import partial

import av
import pytest

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.errors import BusyError, FormatChange, RecordError
from broadcaster.media.mp4_mend import whole_part
from broadcaster.outputs.recording.retention import Limits
from broadcaster.storage.recordings.clips import ClipSaver
from broadcaster.storage.recordings.folder import CLIP_PART
from broadcaster.storage.recordings.reading import RecordingReader
from broadcaster.storage.recordings.store import DiskStore
from tests.edges.recording_rig import NOON, DiskRig, Files, chunks, segment
from tests.edges.test_recordings_watching import OWN, TOKEN, archive, times
from tests.rigs.http import request
from tests.unit.recordings import needs_ffprobe, probe

LONGEST_SAVE = 3.0
"""Seconds for a clip of a minute."""


class Meddled(DiskStore):
    """A store in whose folder something happens between the checks and the copying."""

    meddle = staticmethod(lambda: None)

    async def create_clip(self, size):
        file = await super().create_clip(size)
        self.meddle()
        return file


class ClipRig:
    """Two files that follow each other, 8 s and 6 s, and another one a minute later, 4 s."""

    def __init__(self, path, counts=(4, 3, 2), **limits) -> None:
        rig = DiskRig(path)
        rig.disk.open()
        for count, pause in zip(counts, (0, 60, 0), strict=False):
            rig.record(count)
            rig.clock.advance(pause)
        rig.disk.close()
        self.files = Files(path)
        self.clock = FakeClock(unix=NOON)
        self.store = Meddled(path, Limits(**limits), self.clock)
        self.clips = ClipSaver(self.store, RecordingReader(self.store))
        self.before = self.content()

    def content(self) -> dict[str, int]:
        return {name: os.stat(self.files.path / name).st_size for name in self.files.names()}

    async def ready(self) -> None:
        """Wait until the disk has done all that it was asked for."""
        with pytest.raises(RecordError, match="no such recording"):
            await self.store.delete("none")

    async def save(self, start: float, end: float) -> str:
        clip = await self.clips.save(NOON + start, NOON + end)
        (name,) = clip.files
        assert clip.duration == pytest.approx(self.files.duration(name), abs=0.002)
        return name

    async def unchanged(self) -> None:
        """Everything is as it was, and saving works."""
        await self.ready()
        assert not (self.files.path / CLIP_PART).exists()
        assert self.content() == self.before
        self.store.meddle = lambda: None
        assert await self.save(0, 2)


@contextlib.asynccontextmanager
async def running(path, **settings):
    rig = ClipRig(path, **settings)
    rig.store.start()
    await rig.ready()
    yield rig
    await rig.store.close()


@pytest.fixture
async def rig(tmp_path):
    async with running(tmp_path / "recordings") as rig:
        yield rig


def whole_seconds(path) -> float:
    """Return how much of a file would be whole after a power cut: all of it if its fragments are in order."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return whole_part(partial(os.pread, descriptor)).duration
    finally:
        os.close(descriptor)


@needs_ffprobe
async def test_clip_over_http_is_a_recording_like_all_others(tmp_path):
    async with archive(tmp_path) as found:
        status, answer = await found.post("api/recordings/clips", {"from": NOON + 2.5, "to": NOON + 11.2})
        assert status == 200, answer
        (name,) = answer["clip"]["files"]
        assert name == "000004_2026-03-01T12-00-02Z_kept.mp4"
        assert answer["clip"]["duration"] == pytest.approx(10, abs=0.05)
        result = probe(found.rig.files.path / name)
        video, audio = result["streams"]
        assert int(video["nb_read_frames"]) == 10 * 30
        assert float(audio["duration"]) == pytest.approx(10, abs=0.05)
        assert whole_seconds(found.rig.files.path / name) == pytest.approx(10, abs=0.05)
        for listed in found.rig.files.names():
            if listed != name:
                await request(found.daemon.port, "DELETE", f"/api/recordings/{listed}")
        recordings = (await found.get("api/recordings"))[1]
        assert b'"kept":true,"open":false,"broken":false' in recordings
        pieces = [line for line in (await found.film(0, 30)).splitlines() if line.startswith("000004")]
        data = b"".join([(await found.get(f"recordings/{piece}"))[1] for piece in (f"{name}/init.mp4", *pieces)])
        assert pictures(data) == pictures((await found.get("recordings/export.mp4?" + times(0, 30)))[1]) == 10 * 30


def pictures(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as file:
        return sum(1 for _ in file.decode(video=0))


async def test_wrong_requests_for_clips_are_refused(tmp_path):
    async with archive(tmp_path, f"web.operator_token={TOKEN}") as found:
        wanted = {"from": NOON, "to": NOON + 5}
        before = found.rig.files.names()
        assert (await found.post("api/recordings/clips", wanted))[0] == 401
        for wrong in ({"to": NOON + 3601}, {"to": NOON}, {"from": "x"}, {"to": None}, {"from": 1e300}):
            assert (await found.post("api/recordings/clips", wanted | wrong, **OWN))[0] == 400
        status, text = await found.post("api/recordings/clips", {"from": NOON + 500, "to": NOON + 600}, **OWN)
        assert (status, "nothing was recorded at that time" in text) == (409, True), text
        assert found.rig.files.names() == before


async def test_clip_contains_what_was_captured_apart(rig):
    name = await rig.save(12, 200)
    assert rig.files.duration(name) == pytest.approx(2 + 4, abs=0.05)
    assert whole_seconds(rig.files.path / name) == pytest.approx(6, abs=0.05)


async def test_clip_of_what_is_being_written_and_two_at_once(rig):
    rig.clock.advance(200)
    began = rig.clock.monotonic()
    new = segment(began)
    rig.store.begin(new)
    for chunk in chunks(began, 5):
        assert rig.store.write(new, chunk)
    await rig.ready()
    first, second = await asyncio.gather(rig.save(0, 14), rig.save(201, 207))
    assert rig.files.duration(first) == pytest.approx(14, abs=0.05)
    assert rig.files.duration(second) == pytest.approx(8, abs=0.05)
    for chunk in chunks(began + 10, 2):
        assert rig.store.write(new, chunk)
    rig.store.end(new)
    await rig.store.close()
    assert rig.files.durations()[3] == pytest.approx(14, abs=0.05)
    assert not rig.store.problem


async def test_many_clips_at_once_are_saved_or_refused(rig):
    results = await asyncio.gather(*(rig.save(0, 6) for _ in range(12)), return_exceptions=True)
    saved = [result for result in results if isinstance(result, str)]
    assert {type(result) for result in results} == {str, BusyError}
    assert len(set(saved)) == len(saved) == len(rig.files.names()) - len(rig.before)


async def test_minute_is_saved_quickly(tmp_path):
    async with running(tmp_path, counts=(40,)) as rig:
        began, cpu = time.monotonic(), time.process_time()
        name = await rig.save(10, 70)
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        print(f"clip of {rig.files.duration(name):g} s: {took:.2f} s, {cpu:.3f} s of CPU time")
        assert took < LONGEST_SAVE


async def test_file_that_is_deleted_while_it_is_copied(rig):
    second = rig.files.path / rig.files.names()[1]
    rig.store.meddle = second.unlink
    with pytest.raises(RecordError, match=f"{second.name} cannot be read"):
        await rig.save(0, 14)
    del rig.before[second.name]
    await rig.unchanged()


async def test_file_that_becomes_shorter_while_it_is_copied(rig):
    second = rig.files.path / rig.files.names()[1]
    size = second.stat().st_size
    rig.store.meddle = lambda: os.truncate(second, size // 2)
    with pytest.raises(RecordError, match=f"{second.name} is damaged"):
        await rig.save(0, 14)
    rig.before[second.name] = size // 2
    await rig.unchanged()


async def test_folder_that_is_deleted(rig):
    rig.store.meddle = lambda: shutil.rmtree(rig.files.path)
    for _ in range(2):
        with pytest.raises(RecordError, match="cannot be"):
            await rig.save(0, 5)


async def test_format_that_changes_within(rig):
    second = rig.files.path / rig.files.names()[1]
    data = bytearray(second.read_bytes())
    data[data.index(b"\x68", data.index(b"avcC") + 17) + 1] ^= 0x01  # another PPS
    second.write_bytes(data)
    with pytest.raises(FormatChange, match="format changes at 2026-03-01"):
        await rig.save(0, 14)
    await rig.unchanged()


async def test_request_that_is_given_up(rig):
    rig.store.meddle = lambda: asyncio.current_task().cancel()
    with pytest.raises(asyncio.CancelledError):
        await rig.save(0, 14)
    asyncio.current_task().uncancel()
    await rig.unchanged()


async def test_clip_for_which_there_is_no_room(tmp_path):
    size = sum(ClipRig(tmp_path / "other").content().values())
    async with running(tmp_path / "recordings", bytes=size) as rig:
        with pytest.raises(RecordError, match=r"record\.keep_bytes"):
            await rig.save(0, 200)  # as large as all that is there, and a little more
        await rig.unchanged()


def test_what_a_power_cut_has_left_is_removed(tmp_path):
    rig = DiskRig(tmp_path)
    (tmp_path / CLIP_PART).write_bytes(b"part of a clip")
    rig.disk.open()
    assert not (tmp_path / CLIP_PART).exists()
    rig.disk.close()


def test_clip_gets_the_right_time_when_the_clock_is_set(tmp_path):
    rig = DiskRig(tmp_path, synchronized=False)
    rig.clock.jump(-NOON)
    rig.disk.open()
    rig.record(4)
    with rig.disk.create_clip(100) as file:
        file.write(b"whatever was copied")
    clip = rig.disk.add_clip(rig.disk.recordings[0], 2.0, 6.0)
    assert clip.name == "000002_1970-01-01T00-00-02Z_kept.mp4"
    rig.clock.jump(NOON)
    rig.synchronized = True
    rig.record(1)
    first, second, _ = rig.disk.recordings
    assert (first.started, second.started) == (pytest.approx(NOON), pytest.approx(NOON + 2))
    assert second.name == "000002_2026-03-01T12-00-02Z_kept.mp4"
    rig.disk.close()
