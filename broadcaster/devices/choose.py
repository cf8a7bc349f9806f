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
    to no audio; its search for cameras blocks. Raises `DeviceHung` when the search hangs, and `SourceError` when the
    library of a named source is missing.
    """
    file = MediaFile(absolute(video.file))
    pictures = _video(video, file, clock)
    return pictures, _audio(audio, pictures, file, clock)


def _video(settings: VideoSettings, file: MediaFile, clock: Clock) -> VideoSource:
    match settings.source:
        case "auto":
            return _camera_or_test_picture(settings, clock)
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
            )
        case "test":
            return _test_picture(settings, clock)


def _test_picture(settings: VideoSettings, clock: Clock) -> TestCard:
    return TestCard(
        clock,
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        bitrate=settings.bitrate,
        keyframe_interval=settings.keyframe_interval,
        camera_like=settings.test_pattern == "camera",
    )


def _camera_or_test_picture(settings: VideoSettings, clock: Clock) -> VideoSource:
    try:
        return _find_camera(settings, clock)
    except SourceError as error:
        log.warning("video.source is auto and no camera is available (%s); showing the test picture", error.detail)
        return _test_picture(settings, clock)


def _find_camera(settings: VideoSettings, clock: Clock) -> VideoSource:
    """Return a camera that is present now, CSI before USB; where `video.device` names one, only that one.

    Blocking. Raises `SourceError` when there is none, and `DeviceHung` when the search hangs.
    """
    board = read_board()
    no_csi = cameras.why_none(settings.device)
    if not no_csi:
        return CsiCamera(clock, settings, board)
    no_usb = usb.why_none(settings.device)
    if not no_usb:
        return usb.usb_camera(settings, clock)
    # On a PC, advice about ribbon cables and the Pi's camera library would only confuse.
    raise SourceError(StreamReason.NO_CAMERA, f"{no_csi}; {no_usb}" if board.is_raspberry_pi else no_usb)


def _audio(settings: AudioSettings, pictures: VideoSource, file: MediaFile, clock: Clock) -> AudioSource | None:
    source = _with_the_picture(pictures) if settings.source == "auto" else settings.source
    match source:
        case "none":
            return None
        case "file":
            return FileAudio(clock, file)
        case "alsa":
            # Many cameras have no microphone, so `auto` does without; a microphone that is named must be present.
            return Microphone(clock, settings, optional=settings.source == "auto" and not settings.device)
        case _:
            return Beep(clock)


def _with_the_picture(pictures: VideoSource) -> AudioSourceName:
    """Return what `auto` means for audio. A file without audio counts too: one with audio may replace it later."""
    if isinstance(pictures, TestCard):
        return "test"
    return "file" if isinstance(pictures, FileVideo) else "alsa"
