"""Sources of media files, their failures, and files that change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.video import FileVideo
from broadcaster.errors import SourceError
from broadcaster.ports import AudioSource, VideoSource
from tests.edges.devices_rig import Sink

HIGH = {"profile": "high", "preset": "veryfast", "bf": "2"}
"""Options of libx264 for H.264 that is not passed through."""


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
