"""Faults of files, before and during playback: clear errors, and recovery when the file is intact again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.file import opening
from broadcaster.devices.file.audio import FileAudio
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.video import FileVideo
from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from broadcaster.ports import AudioSource, VideoSource
from broadcaster.settings import AudioSettings, VideoSettings
from tests.edges.devices_rig import FPS, Sink, decoded, make_file, opened

HIGH = {"profile": "high", "preset": "veryfast", "bf": "2"}


def video_source(file: MediaFile | str | Path) -> FileVideo:
    file = file if isinstance(file, MediaFile) else MediaFile(str(file))
    return FileVideo(SystemClock(), file, width=320, height=180, fps=30, bitrate=400_000, keyframe_interval=1.0)


async def failure_of(source: VideoSource | AudioSource) -> SourceError:
    """Return the error of a source, in its thread or when it is opened."""
    sink = Sink()
    try:
        await source.open(sink)
        return await sink.failure()
    except SourceError as error:
        return error
    finally:
        await source.close()


def rewrite(path: str, change: Callable[[bytes], bytes]) -> None:
    Path(path).write_bytes(change(Path(path).read_bytes()))


def damage(data: bytes) -> bytes:
    """Overwrite four packets of a transport stream, after a third of it."""
    start = len(data) // 3
    return data[:start] + bytes(index * 37 & 0xFF for index in range(4 * 188)) + data[start + 4 * 188 :]


@pytest.fixture
def special_files(tmp_path):
    """A folder with files that are not regular ones."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("pipe", "is not a regular file but a named pipe; only regular files can be played"),
        ("folder", "is not a regular file but a folder; only regular files can be played"),
        ("socket", "is not a regular file but a socket; only regular files can be played"),
        ("/dev/null", "is not a regular file but a character device"),
        ("rtsp://127.0.0.1:1/cam", "is a network address; only files on this machine can be played"),
        ("http://127.0.0.1:1/film.mp4", "is a network address; only files on this machine can be played"),
        ("missing.mp4", "No such file or directory"),
    ],
)
async def test_special_file_is_refused_at_once_with_its_kind(special_files, name, problem):
    path = name if "://" in name else str(special_files / name)
    settings = VideoSettings(source="file", file=path)
    began = time.monotonic()
    video, audio = make_sources(settings, AudioSettings(), SystemClock())
    assert audio is not None
    errors = [await failure_of(video), await failure_of(audio)]
    assert time.monotonic() - began < 2
    assert {error.reason for error in errors} == {"file"}
    assert all(error.detail.startswith(f"{path}: {problem}") for error in errors), errors


async def test_only_complete_playlist_is_played(tmp_path):
    film = make_file(tmp_path / "a.ts", seconds=2.0)
    complete = tmp_path / "complete.m3u8"
    complete.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{film}\n#EXT-X-ENDLIST\n")
    async with opened(video_source(complete)) as sink:
        await sink.until(5)
    growing = tmp_path / "growing.m3u8"
    growing.write_text(complete.read_text().replace("#EXT-X-ENDLIST\n", ""))
    error = await failure_of(video_source(growing))
    assert (error.reason, error.detail) == (
        "file",
        f"{growing}: is a playlist without an end (a live stream); only complete ones can be played",
    )


async def test_path_with_colon_and_invalid_utf_8_title_play(tmp_path):
    path = make_file(tmp_path / "cam:1.mkv", seconds=0.4)
    rewrite(path, lambda data: data.replace(b"Lavf", b"L\xe4vf"))
    with pytest.raises(UnicodeDecodeError), av.open(path):
        pass
    async with opened(video_source(path)) as sink:
        await sink.until(5)


def test_password_in_an_address_is_hidden():
    with pytest.raises(SourceError) as caught:
        opening.file_version("rtsp://admin:secret@10.0.0.7/cam")
    assert caught.value.detail.startswith("rtsp://…@10.0.0.7/cam: is a network address")


async def test_missing_file_plays_once_it_exists(tmp_path):
    video = video_source(tmp_path / "a.mp4")
    assert "No such file" in (await failure_of(video)).detail
    make_file(tmp_path / "a.mp4")
    async with opened(video) as sink:
        assert (await sink.until(1))[0].keyframe


async def test_file_without_video_is_reported(tmp_path):
    path = make_file(tmp_path / "a.m4a", video=None, audio="aac")
    error = await failure_of(video_source(path))
    assert (error.reason, error.detail) == ("file", f"{path}: has no video")


@pytest.mark.parametrize("named", [True, False], ids=["named", "auto"])
async def test_missing_audio_is_no_fault_and_is_played_once_present(tmp_path, named):
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    settings = AudioSettings(source="file") if named else AudioSettings()
    _, audio = make_sources(VideoSettings(source="file", file=path), settings, SystemClock())
    assert isinstance(audio, FileAudio)
    error = await failure_of(audio)
    assert (type(error), error.detail) == (SourceAbsent, f"{path} has no audio")
    make_file(tmp_path / "a.mp4", seconds=0.4, audio="aac")
    async with opened(audio) as sink:
        await sink.until(5)


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


async def test_file_without_index_is_reported(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=2.0)
    os.truncate(path, os.stat(path).st_size // 2)
    error = await failure_of(video_source(path))
    assert error.reason == "file"
    assert error.detail.startswith(f"{path}: is incomplete: it has no index (moov)")


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


def test_failed_read_is_reported_with_the_kernels_message(tmp_path, monkeypatch):
    path = make_file(tmp_path / "a.mp4")

    def fail_to_read(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail_to_read)
    error = opening.explain_error(path, opening.file_version(path), av.error.InvalidDataError(0, "Invalid data"))
    assert (error.reason, error.detail) == (StreamReason.FILE, f"{path}: Input/output error")


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


async def test_identical_copy_has_another_version(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    before = opening.file_version(path)
    shutil.copy2(path, tmp_path / "copy.mp4")
    os.replace(tmp_path / "copy.mp4", path)
    assert opening.file_version(path) != before


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


def test_recording_whose_audio_begins_late_is_read_to_its_end(tmp_path):
    """Libav finds a new stream while it reads, which PyAV 18 does not expect."""
    video_only = Path(make_file(tmp_path / "video.ts", seconds=0.4, options=HIGH)).read_bytes()
    with_audio = Path(make_file(tmp_path / "with_audio.ts", seconds=0.4, audio="aac", options=HIGH)).read_bytes()
    path = tmp_path / "a.ts"
    copies = 6_000_000 // len(video_only)  # libav examines 5 MB at the beginning, and some of the end
    path.write_bytes(video_only * copies + with_audio + video_only * copies)
    for _ in range(10):  # whether PyAV fails depends on the content of uninitialized memory
        with opening.open_media(str(path)) as container:
            before = len(container.streams)
            packets = sum(packet.size > 0 for packet in opening.demux(str(path), container, container.streams.video))
        assert (before, packets) == (1, (2 * copies + 1) * 10)


@pytest.mark.parametrize("length", [b"\x7f" * 8, b"\xff" * 8, bytes(8)])
async def test_file_with_invalid_boxes_is_reported(tmp_path, length):
    path = tmp_path / "a.mp4"
    await asyncio.to_thread(path.write_bytes, b"\0\0\0\1ftyp" + length + bytes(100))
    error = await failure_of(video_source(path))
    assert (error.reason, error.detail.startswith(f"{path}: ")) == ("file", True)
