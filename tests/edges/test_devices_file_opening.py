"""Files that cannot be played when they are opened: clear errors, and playback once they are intact."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import time
from pathlib import Path

import av
import pytest

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.file import opening
from broadcaster.devices.file.audio import FileAudio
from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from broadcaster.settings import AudioSettings, VideoSettings
from tests.edges.devices_rig import make_file, opened
from tests.edges.file_faults_rig import HIGH, failure_of, rewrite, video_source


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


async def test_file_without_index_is_reported(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=2.0)
    os.truncate(path, os.stat(path).st_size // 2)
    error = await failure_of(video_source(path))
    assert error.reason == "file"
    assert error.detail.startswith(f"{path}: is incomplete: it has no index (moov)")


def test_failed_read_is_reported_with_the_kernels_message(tmp_path, monkeypatch):
    path = make_file(tmp_path / "a.mp4")

    def fail_to_read(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail_to_read)
    error = opening.explain_error(path, opening.file_version(path), av.error.InvalidDataError(0, "Invalid data"))
    assert (error.reason, error.detail) == (StreamReason.FILE, f"{path}: Input/output error")


async def test_identical_copy_has_another_version(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    before = opening.file_version(path)
    shutil.copy2(path, tmp_path / "copy.mp4")
    os.replace(tmp_path / "copy.mp4", path)
    assert opening.file_version(path) != before


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
