"""The thread that writes recordings: nothing waits for it, its queue is bounded, and failures end one file only."""

import shutil
import threading

import pytest

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.errors import RecordError
from broadcaster.outputs.recording.retention import Limits
from broadcaster.ports.recording import Segment
from broadcaster.storage.recordings import store
from broadcaster.storage.recordings.files import RecordingFile
from broadcaster.storage.recordings.store import MAX_WAITING, RETRY_AFTER, DiskStore
from tests.edges.recording_rig import NOON, Files, chunks, segment


class StoreRig:
    def __init__(self, path, *, max_waiting: int = MAX_WAITING, **limits) -> None:
        self.clock = FakeClock(unix=NOON)
        self.files = Files(path)
        self.store = DiskStore(path, Limits(**limits), self.clock, max_waiting)

    def begin(self, *, kept: bool = False) -> Segment:
        new = segment(self.clock.monotonic(), kept=kept)
        self.store.begin(new)
        return new

    def write(self, file: Segment, count: int = 1, *, live: bool = True) -> list[bool]:
        """Return for each chunk whether it was taken."""
        taken = []
        for chunk in chunks(self.clock.monotonic(), count):
            taken.append(self.store.write(file, chunk, live=live))
            self.clock.advance(2)
        return taken


@pytest.fixture
async def rig(tmp_path):
    rig = StoreRig(tmp_path / "recordings")
    yield rig
    await rig.store.close()


async def test_everything_is_on_the_disk_after_close(rig):
    rig.store.start()
    file = rig.begin()
    assert rig.write(file, 3) == [True] * 3
    rig.store.end(file)
    unfinished = rig.begin()
    rig.write(unfinished, 2)
    await rig.store.close()
    assert rig.files.durations() == [pytest.approx(6, abs=0.03), pytest.approx(4, abs=0.03)]
    assert rig.store.waiting == 0
    stats = rig.store.stats()
    assert (stats.files, stats.file, stats.problem) == (2, "", "")
    assert stats.bytes == sum((rig.files.path / name).stat().st_size for name in rig.files.names())
    assert stats.free > 0


async def test_bytes_include_the_file_that_is_being_written(rig):
    rig.store.start()
    file = rig.begin()
    rig.write(file, 2)
    with pytest.raises(RecordError):  # whose turn comes after the chunks'
        await rig.store.delete("none")
    stats = rig.store.stats()
    assert (stats.files, stats.file) == (1, rig.files.names()[0])
    assert stats.bytes == (rig.files.path / stats.file).stat().st_size > 0
    rig.store.end(file)


async def test_queue_is_bounded(tmp_path):
    """The thread is started late, as if the disk did not respond."""
    (size, *_) = (chunk.size for chunk in chunks(0, 1))
    rig = StoreRig(tmp_path, max_waiting=5 * size)
    file = rig.begin()
    assert rig.write(file, 7) == [True] * 5 + [False] * 2
    assert rig.store.waiting == 5 * size
    assert not rig.store.may_begin(rig.clock.monotonic())
    rig.store.end(file)
    rig.store.start()
    await rig.store.close()
    assert rig.store.may_begin(rig.clock.monotonic())
    assert rig.files.durations() == [pytest.approx(10, abs=0.03)]


async def test_chunks_from_memory_do_not_count_as_waiting(rig):
    file = rig.begin(kept=True)
    assert rig.write(file, 20, live=False) == [True] * 20
    assert rig.store.waiting == 0
    rig.store.start()


async def test_clip_is_reported_when_it_is_on_the_disk(rig):
    rig.store.start()
    files = []
    for _ in range(2):
        files.append(rig.begin(kept=True))
        rig.write(files[-1], 2, live=False)
        rig.store.end(files[-1])
    clip = await rig.store.saved(files)
    assert list(clip.files) == rig.files.names()
    assert clip.duration == pytest.approx(8, abs=0.06)
    assert rig.files.durations() == [pytest.approx(4, abs=0.03)] * 2


async def test_clip_that_cannot_be_written_is_an_error(tmp_path):
    rig = StoreRig(tmp_path, free=1 << 60)
    rig.store.start()
    file = rig.begin(kept=True)
    rig.write(file, live=False)
    rig.store.end(file)
    with pytest.raises(RecordError, match=r"record\.keep_free"):
        await rig.store.saved([file])
    await rig.store.close()


async def test_clip_on_a_disk_that_hangs_is_an_error(rig, monkeypatch, caplog):
    monkeypatch.setattr(store, "ASK_LIMIT", 0.3)
    hangs = threading.Event()
    monkeypatch.setattr(RecordingFile, "end", lambda file, end=RecordingFile.end: hangs.wait(60) and end(file))
    rig.store.start()
    file = rig.begin(kept=True)
    rig.write(file, live=False)
    rig.store.end(file)
    with pytest.raises(RecordError, match="does not respond"):
        await rig.store.saved([file])
    hangs.set()
    await rig.store.close()
    assert len(rig.files.durations()) == 1
    assert "internal error" not in caplog.text


async def test_failure_ends_the_file_and_is_retried_later(rig):
    rig.store.start()
    file = rig.begin(kept=True)
    rig.write(file)
    other = rig.begin(kept=True)
    rig.store.end(other)
    with pytest.raises(RecordError, match="empty"):
        await rig.store.saved([other])  # by now the first chunk is written
    shutil.rmtree(rig.files.path)
    rig.write(file)
    rig.store.end(file)
    with pytest.raises(RecordError, match="deleted"):
        await rig.store.saved([file])
    now = rig.clock.monotonic()
    assert not rig.store.may_begin(now)
    assert not rig.store.may_begin(now + RETRY_AFTER - 1)
    assert rig.store.may_begin(now + RETRY_AFTER)
    assert "deleted" in rig.store.stats().problem
    file = rig.begin()
    assert rig.write(file) == [True]
    await rig.store.close()
    assert len(rig.files.durations()) == 1
    assert not rig.store.stats().problem


async def test_bug_in_the_thread_does_not_end_it(rig, caplog):
    rig.store.start()
    rig.store.note_gap("yesterday", 5.0)
    file = rig.begin()
    rig.write(file)
    await rig.store.close()
    assert "internal error in the thread" in caplog.text
    assert len(rig.files.durations()) == 1


async def test_close_without_start_and_twice(tmp_path):
    rig = StoreRig(tmp_path)
    await rig.store.close()
    rig.store.start()
    await rig.store.close()
    await rig.store.close()
