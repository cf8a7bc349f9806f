"""What can be wrong with a file, before and while it plays: a failure with a sentence, and well again with the file."""

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


def video_of(file: MediaFile | str | Path) -> FileVideo:
    file = file if isinstance(file, MediaFile) else MediaFile(str(file))
    return FileVideo(SystemClock(), file, width=320, height=180, fps=30, bitrate=400_000, keyframe_interval=1.0)


async def failure_of(source: VideoSource | AudioSource) -> SourceError:
    """What a source fails with, in its thread or when it is opened."""
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


def damaged(data: bytes) -> bytes:
    """Four packets of a transport stream, a third of the way, overwritten."""
    start = len(data) // 3
    return data[:start] + bytes(place * 37 & 0xFF for place in range(4 * 188)) + data[start + 4 * 188 :]


@pytest.fixture
def odd(tmp_path):
    """Things in the file system that are no regular files."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
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
async def test_what_is_no_regular_file_is_refused_at_once_and_says_what_it_is(odd, name, words):
    path = name if "://" in name else str(odd / name)
    settings = VideoSettings(source="file", file=path)
    began = time.monotonic()
    video, audio = make_sources(settings, AudioSettings(), SystemClock())
    assert audio is not None
    errors = [await failure_of(video), await failure_of(audio)]
    assert time.monotonic() - began < 2
    assert {error.reason for error in errors} == {"file"}
    assert all(error.detail.startswith(f"{path}: {words}") for error in errors), errors


async def test_a_playlist_without_an_end_is_refused_and_one_with_an_end_plays(tmp_path):
    film = make_file(tmp_path / "a.ts", seconds=2.0)
    complete = tmp_path / "complete.m3u8"
    complete.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{film}\n#EXT-X-ENDLIST\n")
    async with opened(video_of(complete)) as sink:
        await sink.until(5)
    growing = tmp_path / "growing.m3u8"
    growing.write_text(complete.read_text().replace("#EXT-X-ENDLIST\n", ""))
    error = await failure_of(video_of(growing))
    assert (error.reason, error.detail) == (
        "file",
        f"{growing}: is a playlist without an end (a live stream); only complete ones can be played",
    )


async def test_names_with_colons_and_titles_that_are_not_utf_8_are_no_obstacle(tmp_path):
    path = make_file(tmp_path / "cam:1.mkv", seconds=0.4)
    rewrite(path, lambda data: data.replace(b"Lavf", b"L\xe4vf"))
    with pytest.raises(UnicodeDecodeError), av.open(path):
        pass
    async with opened(video_of(path)) as sink:
        await sink.until(5)


def test_the_password_of_an_address_is_not_told():
    with pytest.raises(SourceError) as caught:
        opening.file_version("rtsp://admin:secret@10.0.0.7/cam")
    assert caught.value.detail.startswith("rtsp://…@10.0.0.7/cam: is a network address")


async def test_a_missing_file_is_found_once_it_is_there(tmp_path):
    video = video_of(tmp_path / "a.mp4")
    assert "No such file" in (await failure_of(video)).detail
    make_file(tmp_path / "a.mp4")
    async with opened(video) as sink:
        assert (await sink.until(1))[0].keyframe


async def test_a_file_without_a_picture_says_so(tmp_path):
    path = make_file(tmp_path / "a.m4a", video=None, audio="aac")
    error = await failure_of(video_of(path))
    assert (error.reason, error.detail) == ("file", f"{path}: has no video")


@pytest.mark.parametrize("named", [True, False], ids=["named", "auto"])
async def test_a_film_without_sound_is_no_fault_and_sound_that_comes_later_is_played(tmp_path, named):
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    chosen = AudioSettings(source="file") if named else AudioSettings()
    _, audio = make_sources(VideoSettings(source="file", file=path), chosen, SystemClock())
    assert isinstance(audio, FileAudio)
    error = await failure_of(audio)
    assert (type(error), error.detail) == (SourceAbsent, f"{path} has no audio")
    make_file(tmp_path / "a.mp4", seconds=0.4, audio="aac")
    async with opened(audio) as sink:
        await sink.until(5)


async def test_a_file_that_vanishes_fails_at_the_next_loop(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    async with opened(video_of(path)) as sink:
        await sink.until(2)
        os.unlink(path)
        error = await sink.failure()
    assert (error.reason, error.detail) == ("file", f"{path}: No such file or directory")


@pytest.mark.parametrize("options", [None, HIGH], ids=["passes through", "is encoded"])
@pytest.mark.parametrize("codec", ["libx265", "libx264", "mpeg4"])
async def test_a_file_that_is_replaced_is_followed_by_the_new_one(tmp_path, options, codec):
    path = make_file(tmp_path / "a.mp4", seconds=0.4, options=options)
    fast = {"x265-params": "log-level=none", "preset": "ultrafast"} if codec == "libx265" else {}
    other = make_file(tmp_path / "b.mp4", seconds=0.8, video=codec, options=fast, size=(160, 90))
    video = video_of(path)
    async with opened(video) as sink:
        await sink.until(2)
        os.replace(other, path)
        await sink.until(25)
        assert (video.traits.width, video.traits.height) == (160, 90)
    assert {(picture.width, picture.height) for picture in decoded(sink.items)} == {(320, 180), (160, 90)}


@pytest.mark.parametrize(
    ("keep", "words"), [(0, "is empty"), (0.5, "is incomplete: it has no index (moov)")], ids=["emptied", "cut in half"]
)
async def test_a_file_that_is_cut_while_it_plays_fails_in_words(tmp_path, keep, words):
    path = make_file(tmp_path / "a.mp4", seconds=3.0, audio="aac", options={**HIGH, "g": "10"})
    file = MediaFile(path)
    async with opened(video_of(file)) as pictures, opened(FileAudio(SystemClock(), file)) as sounds:
        await pictures.until(2)
        os.truncate(path, int(os.stat(path).st_size * keep))
        errors = [await pictures.failure(8), await sounds.failure(8)]
    assert {error.reason for error in errors} == {"file"}
    assert all(error.detail.startswith(f"{path}: {words}") for error in errors), errors


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
async def test_a_film_of_which_the_end_is_missing_plays_as_far_as_it_goes_in_a_loop(tmp_path, suffix):
    path = make_file(tmp_path / f"a.{suffix}", seconds=2.0)
    os.truncate(path, os.stat(path).st_size // 3)
    async with opened(video_of(path)) as sink:
        units = await sink.until(40)
    assert sum(unit.keyframe for unit in units) >= 2


async def test_a_film_without_its_index_says_so(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=2.0)
    os.truncate(path, os.stat(path).st_size // 2)
    error = await failure_of(video_of(path))
    assert error.reason == "file"
    assert error.detail.startswith(f"{path}: is incomplete: it has no index (moov)")


def crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def end_with_an_empty_packet(path: Path) -> None:
    """Add a page to an Ogg file whose only packet is empty (RFC 3533 §6 allows it)."""
    data = path.read_bytes()
    start = data.rindex(b"OggS")
    last = bytearray(data[start:])
    last[5] &= ~4  # no longer the last page
    granule, serial, number = struct.unpack_from("<qII", last, 6)
    empty = bytearray(b"OggS\0\4" + struct.pack("<qII", granule, serial, number + 1) + bytes(4) + b"\1\0")
    for page in (last, empty):
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", crc(page))
    path.write_bytes(data[:start] + last + empty)


@pytest.mark.parametrize("codec", ["vorbis", "libopus"])
async def test_an_empty_last_packet_is_no_end(tmp_path, codec):
    """Libav's decoders refuse it, and so does its parser of Opus in Ogg."""
    path = tmp_path / "a.ogg"
    make_file(path, video=None, audio=codec, seconds=0.4)
    end_with_an_empty_packet(path)
    async with opened(FileAudio(SystemClock(), MediaFile(str(path)))) as sink:
        await sink.until(50)


async def test_a_damaged_film_goes_on_behind_the_damage(tmp_path):
    path = make_file(tmp_path / "a.ts", audio="aac", seconds=2.0, options={**HIGH, "g": "10"})
    rewrite(path, damaged)
    file = MediaFile(path)
    async with opened(video_of(file)) as pictures, opened(FileAudio(SystemClock(), file)) as sounds:
        await pictures.until(60)
        await sounds.until(110)


def test_a_read_that_the_storage_refuses_is_told_in_the_kernels_words(tmp_path, monkeypatch):
    path = make_file(tmp_path / "a.mp4")

    def pulled(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", pulled)
    error = opening.explain_error(path, opening.file_version(path), av.error.InvalidDataError(0, "Invalid data"))
    assert (error.reason, error.detail) == (StreamReason.FILE, f"{path}: Input/output error")


class HungStorage:
    """Lets every look into a file hang until `back`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.back = threading.Event()
        self.asked = 0
        ours = opening.av.open

        def hang(*arguments: object, **options: object) -> object:
            self.asked += 1
            assert self.back.wait(60)
            return ours(*arguments, **options)

        monkeypatch.setattr(opening.av, "open", hang)


async def test_storage_that_hangs_holds_up_neither_opening_nor_closing_and_costs_one_thread(tmp_path, monkeypatch):
    monkeypatch.setattr("broadcaster.devices.thread.JOIN_LIMIT", 0.05)
    video = video_of(make_file(tmp_path / "a.mp4"))
    storage = HungStorage(monkeypatch)
    with contextlib.ExitStack() as stack:
        stack.callback(storage.back.set)
        sink = Sink()
        async with asyncio.timeout(2):
            await video.open(sink)
            await video.close()
        for _ in range(3):
            assert "does not answer" in (await failure_of(video)).detail
        assert (storage.asked, sink.errors) == (1, [])
    async with asyncio.timeout(5):
        while "does not answer" in (await quick_failure(video)):
            await asyncio.sleep(0.01)
    async with opened(video) as sink:
        await sink.until(2)


async def quick_failure(video: FileVideo) -> str:
    try:
        await video.open(Sink())
    except SourceError as error:
        return error.detail
    finally:
        await video.close()
    return ""


async def test_a_copy_that_takes_the_place_of_an_equal_file_is_another_file(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    before = opening.file_version(path)
    shutil.copy2(path, tmp_path / "copy.mp4")
    os.replace(tmp_path / "copy.mp4", path)
    assert opening.file_version(path) != before


def cut_up(data: bytes) -> bytes:
    """A film of which some pictures near the end have impossible lengths (ISO/IEC 14496-15 §5.3.3)."""
    start = data.index(b"mdat") + len(data) * 8 // 10
    return data[:start] + b"\xff" * 4000 + data[start + 4000 :]


@pytest.mark.parametrize("seconds", [2.0, 4.0], ids=["seen at first", "seen later"])
async def test_a_damaged_picture_of_a_film_that_passes_has_it_encoded(tmp_path, caplog, seconds):
    caplog.set_level("INFO")
    path = make_file(tmp_path / "a.mp4", seconds=seconds)
    rewrite(path, cut_up)
    async with opened(video_of(path)) as sink:
        await sink.until(round(seconds * FPS * 1.2))
    assert "a picture in it is damaged" in caplog.text


async def test_a_stick_that_is_removed_while_its_film_passes_is_told_as_such(tmp_path, monkeypatch):
    path = make_file(tmp_path / "a.mp4", seconds=4.0)
    rewrite(path, cut_up)  # libav hands on what it could not read as if it were damaged

    def removed(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(opening, "_try_reading", removed)
    error = await failure_of(video_of(path))
    assert (error.reason, error.detail) == ("file", f"{path}: Input/output error")


def test_a_recording_in_which_sound_appears_later_is_read_to_its_end(tmp_path):
    """Libav finds a new stream while it reads, which PyAV 18 does not expect."""
    silent = Path(make_file(tmp_path / "silent.ts", seconds=0.4, options=HIGH)).read_bytes()
    sounding = Path(make_file(tmp_path / "sounding.ts", seconds=0.4, audio="aac", options=HIGH)).read_bytes()
    path = tmp_path / "a.ts"
    copies = 6_000_000 // len(silent)  # libav looks at 5 MB at the beginning, and at some of the end
    path.write_bytes(silent * copies + sounding + silent * copies)
    for _ in range(10):  # whether PyAV stumbles is a matter of what lies in its memory
        with opening.open_media(str(path)) as container:
            before = len(container.streams)
            packets = sum(packet.size > 0 for packet in opening.demux(str(path), container, container.streams.video))
        assert (before, packets) == (1, (2 * copies + 1) * 10)


@pytest.mark.parametrize("length", [b"\x7f" * 8, b"\xff" * 8, bytes(8)])
async def test_a_file_with_impossible_boxes_says_that_it_is_invalid(tmp_path, length):
    path = tmp_path / "a.mp4"
    await asyncio.to_thread(path.write_bytes, b"\0\0\0\1ftyp" + length + bytes(100))
    error = await failure_of(video_of(path))
    assert (error.reason, error.detail.startswith(f"{path}: ")) == ("file", True)
