"""Faults of files during playback: clear errors, and recovery when the file is intact again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import threading
from pathlib import Path

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.file import opening
from broadcaster.devices.file.audio import FileAudio
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.video import FileVideo
from broadcaster.errors import SourceError
from tests.edges.devices_rig import FPS, Sink, decoded, make_file, opened
from tests.edges.file_faults_rig import HIGH, failure_of, rewrite, video_source


def damage(data: bytes) -> bytes:
    """Overwrite four packets of a transport stream, after a third of it."""
    start = len(data) // 3
    return data[:start] + bytes(index * 37 & 0xFF for index in range(4 * 188)) + data[start + 4 * 188 :]


async def test_deleted_file_fails_at_the_next_loop(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    async with opened(video_source(path)) as sink:
        await sink.until(2)
        os.unlink(path)
        error = await sink.failure()
    assert (error.reason, error.detail) == ("file", f"{path}: No such file or directory")


@pytest.mark.parametrize("options", [None, HIGH], ids=["passthrough", "encoded"])
@pytest.mark.parametrize("codec", ["libx265", "libx264", "mpeg4"])
async def test_replaced_file_is_followed_by_the_new_one(tmp_path, options, codec):
    path = make_file(tmp_path / "a.mp4", seconds=0.4, options=options)
    fast = {"x265-params": "log-level=none", "preset": "ultrafast"} if codec == "libx265" else {}
    other = make_file(tmp_path / "b.mp4", seconds=0.8, video=codec, options=fast, size=(160, 90))
    video = video_source(path)
    async with opened(video) as sink:
        await sink.until(2)
        os.replace(other, path)
        await sink.until(25)
        assert (video.traits.width, video.traits.height) == (160, 90)
    assert {(picture.width, picture.height) for picture in decoded(sink.items)} == {(320, 180), (160, 90)}


@pytest.mark.parametrize(
    ("keep", "problem"), [(0, "is empty"), (0.5, "is incomplete: it has no index (moov)")], ids=["emptied", "truncated"]
)
async def test_file_truncated_during_playback_fails(tmp_path, keep, problem):
    path = make_file(tmp_path / "a.mp4", seconds=3.0, audio="aac", options={**HIGH, "g": "10"})
    file = MediaFile(path)
    async with opened(video_source(file)) as video, opened(FileAudio(SystemClock(), file)) as audio:
        await video.until(2)
        os.truncate(path, int(os.stat(path).st_size * keep))
        errors = [await video.failure(8), await audio.failure(8)]
    assert {error.reason for error in errors} == {"file"}
    assert all(error.detail.startswith(f"{path}: {problem}") for error in errors), errors


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
async def test_file_without_its_end_is_looped_as_far_as_it_goes(tmp_path, suffix):
    path = make_file(tmp_path / f"a.{suffix}", seconds=2.0)
    os.truncate(path, os.stat(path).st_size // 3)
    async with opened(video_source(path)) as sink:
        units = await sink.until(40)
    assert sum(unit.keyframe for unit in units) >= 2


def ogg_crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def append_empty_packet(path: Path) -> None:
    """Add a page to an Ogg file whose only packet is empty (RFC 3533 §6 allows it)."""
    data = path.read_bytes()
    start = data.rindex(b"OggS")
    last = bytearray(data[start:])
    last[5] &= ~4  # no longer the last page
    granule, serial, number = struct.unpack_from("<qII", last, 6)
    empty = bytearray(b"OggS\0\4" + struct.pack("<qII", granule, serial, number + 1) + bytes(4) + b"\1\0")
    for page in (last, empty):
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", ogg_crc(page))
    path.write_bytes(data[:start] + last + empty)


@pytest.mark.parametrize("codec", ["vorbis", "libopus"])
async def test_empty_last_packet_does_not_end_playback(tmp_path, codec):
    """Libav's decoders reject it, and so does its parser of Opus in Ogg."""
    path = tmp_path / "a.ogg"
    make_file(path, video=None, audio=codec, seconds=0.4)
    append_empty_packet(path)
    async with opened(FileAudio(SystemClock(), MediaFile(str(path)))) as sink:
        await sink.until(50)


async def test_damaged_file_continues_after_the_damage(tmp_path):
    path = make_file(tmp_path / "a.ts", audio="aac", seconds=2.0, options={**HIGH, "g": "10"})
    rewrite(path, damage)
    file = MediaFile(path)
    async with opened(video_source(file)) as video, opened(FileAudio(SystemClock(), file)) as audio:
        await video.until(60)
        await audio.until(110)


class HungStorage:
    """Makes opening of files hang until `responding` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.responding = threading.Event()
        self.opened = 0
        av_open = opening.av.open

        def hang(*arguments: object, **options: object) -> object:
            self.opened += 1
            assert self.responding.wait(60)
            return av_open(*arguments, **options)

        monkeypatch.setattr(opening.av, "open", hang)


async def test_hung_storage_blocks_neither_open_nor_close_and_costs_one_thread(tmp_path, monkeypatch):
    monkeypatch.setattr("broadcaster.devices.thread.JOIN_LIMIT", 0.05)
    video = video_source(make_file(tmp_path / "a.mp4"))
    storage = HungStorage(monkeypatch)
    with contextlib.ExitStack() as stack:
        stack.callback(storage.responding.set)
        sink = Sink()
        async with asyncio.timeout(2):
            await video.open(sink)
            await video.close()
        for _ in range(3):
            assert "does not answer" in (await failure_of(video)).detail
        assert (storage.opened, sink.errors) == (1, [])
    async with asyncio.timeout(5):
        while "does not answer" in (await error_at_open(video)):
            await asyncio.sleep(0.01)
    async with opened(video) as sink:
        await sink.until(2)


async def error_at_open(video: FileVideo) -> str:
    try:
        await video.open(Sink())
    except SourceError as error:
        return error.detail
    finally:
        await video.close()
    return ""


def corrupt_lengths(data: bytes) -> bytes:
    """Give some pictures near the end impossible lengths (ISO/IEC 14496-15 §5.3.3)."""
    start = data.index(b"mdat") + len(data) * 8 // 10
    return data[:start] + b"\xff" * 4000 + data[start + 4000 :]


@pytest.mark.parametrize("seconds", [2.0, 4.0], ids=["in the scan", "during playback"])
async def test_damaged_picture_prevents_passthrough(tmp_path, caplog, seconds):
    caplog.set_level("INFO")
    path = make_file(tmp_path / "a.mp4", seconds=seconds)
    rewrite(path, corrupt_lengths)
    async with opened(video_source(path)) as sink:
        await sink.until(round(seconds * FPS * 1.2))
    assert "a picture in it is damaged" in caplog.text


async def test_storage_removed_during_passthrough_is_reported(tmp_path, monkeypatch):
    path = make_file(tmp_path / "a.mp4", seconds=4.0)
    rewrite(path, corrupt_lengths)  # libav passes on what it could not read as if it were damaged

    def fail_to_read(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(opening, "_try_reading", fail_to_read)
    error = await failure_of(video_source(path))
    assert (error.reason, error.detail) == ("file", f"{path}: Input/output error")
