"""From the words of `video.source` and `audio.source` to sources."""

from __future__ import annotations

import logging

from broadcaster.devices.file.audio import FileAudio
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.video import FileVideo
from broadcaster.devices.microphone.source import Microphone
from broadcaster.devices.testcard.beep import Beep
from broadcaster.devices.testcard.source import TestCard
from broadcaster.errors import SettingsError
from broadcaster.ports import AudioSource, Clock, VideoSource
from broadcaster.settings import AudioSettings, AudioSourceName, VideoSettings

log = logging.getLogger(__name__)

_NO_CAMERAS = "this version does not support cameras yet"


def make_sources(video: VideoSettings, audio: AudioSettings, clock: Clock) -> tuple[VideoSource, AudioSource | None]:
    """The sources that the settings ask for; None for no sound on purpose.

    What is named is never replaced by something else; only `auto` chooses, and says why when it falls
    back to the test source or to no sound. It looks into the file for that, blocking. Raises `SettingsError`
    with all that cannot be had.
    """
    problems = _problems(video, audio)
    if problems:
        raise SettingsError(problems)
    if video.source == "auto":
        log.warning("video.source is auto, and %s: showing the test picture", _NO_CAMERAS)
    file = MediaFile(video.file)
    pictures = _video(video, file, clock)
    return pictures, _audio(audio, pictures, file, clock)


def _problems(video: VideoSettings, audio: AudioSettings) -> list[str]:
    problems = []
    if video.source in ("picamera2", "v4l2"):
        problems.append(f"video.source = {video.source!r}: {_NO_CAMERAS}; allowed: auto, test, file")
    return problems


def _video(settings: VideoSettings, file: MediaFile, clock: Clock) -> VideoSource:
    if settings.source == "file":
        return FileVideo(
            clock,
            file,
            width=settings.width,
            height=settings.height,
            fps=settings.fps,
            bitrate=settings.bitrate,
            keyframe_interval=settings.keyframe_interval,
        )
    return TestCard(
        clock,
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        bitrate=settings.bitrate,
        keyframe_interval=settings.keyframe_interval,
    )


def _audio(settings: AudioSettings, pictures: VideoSource, file: MediaFile, clock: Clock) -> AudioSource | None:
    source = _with_the_picture(pictures, file) if settings.source == "auto" else settings.source
    match source:
        case "none":
            return None
        case "file":
            return FileAudio(clock, file)
        case "alsa":
            # A camera without any microphone is a usual thing; one that is named must be there.
            return Microphone(clock, settings, optional=settings.source == "auto" and not settings.device)
        case _:
            return Beep(clock)


def _with_the_picture(pictures: VideoSource, file: MediaFile) -> AudioSourceName:
    """What `auto` means: a file that cannot be read yet may turn out to have sound, as most have."""
    if isinstance(pictures, TestCard):
        return "test"
    if not isinstance(pictures, FileVideo):
        return "alsa"
    if file.is_silent():
        log.info("audio.source is auto, and %s has no sound: the stream has none", file.path)
        return "none"
    return "file"
