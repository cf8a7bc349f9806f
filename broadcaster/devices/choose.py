"""Creation of the sources that `video.source` and `audio.source` name."""

from __future__ import annotations

import logging
from functools import partial

from broadcaster.devices import usb
from broadcaster.devices.auto_camera import AutoCamera
from broadcaster.devices.board import read_board
from broadcaster.devices.file.audio import FileAudio
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.video import FileVideo
from broadcaster.devices.microphone.source import Microphone
from broadcaster.devices.picamera import cameras
from broadcaster.devices.picamera.source import CsiCamera
from broadcaster.devices.small import small_video
from broadcaster.devices.testcard.beep import Beep
from broadcaster.devices.testcard.source import TestCard
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import AudioSource, Clock, VideoSource
from broadcaster.settings import AudioSettings, AudioSourceName, VideoSettings
from broadcaster.settings.paths import absolute

log = logging.getLogger(__name__)


def make_sources(video: VideoSettings, audio: AudioSettings, clock: Clock) -> tuple[VideoSource, AudioSource | None]:
    """Return the sources that the settings name; the audio source is None when audio is switched off.

    A named source is never replaced by another. Only `auto` chooses, and logs why it falls back to the test source or
    to no audio; its search for cameras blocks. Raises `DeviceHung` if the search hangs, and `SourceError` if the
    library of a named source is missing.
    """
    file = MediaFile(absolute(video.file))
    video_source = _make_video(video, file, clock)
    return video_source, _make_audio(audio, video_source, file, clock)


def _make_video(settings: VideoSettings, file: MediaFile, clock: Clock) -> VideoSource:
    match settings.source:
        case "auto":
            return _camera_or_test_card(settings, clock)
        case "camera":
            return AutoCamera(partial(_find_camera, settings, clock), settings)
        case "picamera2":
            return CsiCamera(clock, settings, read_board())
        case "v4l2":
            return usb.usb_camera(settings, clock)
        case "file":
            return FileVideo(
                clock,
                file,
                width=settings.width,
                height=settings.height,
                fps=settings.fps,
                bitrate=settings.bitrate,
                keyframe_interval=settings.keyframe_interval,
                small=small_video(settings),
            )
        case "test":
            return _test_card(settings, clock)


def _test_card(settings: VideoSettings, clock: Clock) -> TestCard:
    return TestCard(
        clock,
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        bitrate=settings.bitrate,
        keyframe_interval=settings.keyframe_interval,
        camera_like=settings.test_pattern == "camera",
        small=small_video(settings),
    )


def _camera_or_test_card(settings: VideoSettings, clock: Clock) -> VideoSource:
    try:
        return _find_camera(settings, clock)
    except SourceError as error:
        log.warning("no camera was found (%s); viewers see the test picture (video.source is auto)", error.detail)
        return _test_card(settings, clock)


def _find_camera(settings: VideoSettings, clock: Clock) -> VideoSource:
    """Return a camera that is connected, CSI before USB; if `video.device` names one, only that one.

    Blocking. Raises `SourceError` if there is none, and `DeviceHung` if the search hangs.
    """
    board = read_board()
    csi_problem = cameras.unavailable_reason(settings.device)
    if not csi_problem:
        return CsiCamera(clock, settings, board)
    usb_problem = usb.unavailable_reason(settings.device)
    if not usb_problem:
        return usb.usb_camera(settings, clock)
    # On a PC, advice about ribbon cables and the Pi's camera library would be misleading.
    raise SourceError(StreamReason.NO_CAMERA, f"{csi_problem}; {usb_problem}" if board.is_raspberry_pi else usb_problem)


def _make_audio(settings: AudioSettings, video: VideoSource, file: MediaFile, clock: Clock) -> AudioSource | None:
    source = _auto_audio(video) if settings.source == "auto" else settings.source
    match source:
        case "none":
            return None
        case "file":
            return FileAudio(clock, file)
        case "alsa":
            # Many cameras have no microphone, so for `auto` it is optional; a microphone that is named must be present.
            return Microphone(clock, settings, optional=settings.source == "auto" and not settings.device)
        case _:
            return Beep(clock)


def _auto_audio(video: VideoSource) -> AudioSourceName:
    """Return the audio source that `auto` selects: the file even without audio, because it may be replaced."""
    if isinstance(video, TestCard):
        return "test"
    return "file" if isinstance(video, FileVideo) else "alsa"
