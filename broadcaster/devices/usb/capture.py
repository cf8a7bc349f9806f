"""Start of a capture session: controls, mode, encoder, and a check of the camera's own H.264. Everything blocks."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from broadcaster.devices import v4l2
from broadcaster.devices.board import Board
from broadcaster.devices.scaler import Scaler, fitted_size
from broadcaster.devices.small import NO_SMALL_VIDEO, SmallEncoder, SmallVideo
from broadcaster.devices.usb.camera import Camera, CapturedFrame, Node
from broadcaster.devices.usb.controls import flip_in_camera, set_controls
from broadcaster.devices.usb.decoding import Decoder
from broadcaster.devices.usb.formats import COST
from broadcaster.devices.usb.modes import Choice, Mode, RequestedMode, choose_mode
from broadcaster.devices.usb.pipelines import FrameDecimator, Passthrough, Pipeline, Transcoder, make_encoder
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import VideoSink, VideoTraits
from broadcaster.stream.rendition import MAX_CACHE_DURATION

log = logging.getLogger(__name__)

FIRST_KEYFRAME_LIMIT = 2.0
"""Seconds to wait for the first keyframe of the camera's own H.264; an encoder starts with one."""
_KEYFRAME_TOLERANCE = 0.2
"""Seconds by which the second keyframe may be late, because pictures come at uneven intervals."""
DECIMATION_THRESHOLD = 1.2
"""Ratio of the camera's frame rate to the requested one above which pictures are dropped. Below it, all are kept,
because dropping some of them would make the motion uneven."""
_POLL_TIMEOUT = 0.1


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """The settings of a capture.

    Size and frame rate, bits per second, keyframe interval in seconds, flips, the small rendition, and controls.
    """

    requested: RequestedMode
    bitrate: int
    keyframe_interval: float
    flips: frozenset[str] = frozenset()
    small: SmallVideo = NO_SMALL_VIDEO
    controls: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class CaptureSession:
    """A camera that delivers, its pipeline and traits; `first_frame` is a frame that was already read.

    `small` encodes the small rendition; None if there is none.
    """

    camera: Camera
    pipeline: Pipeline
    first_frame: CapturedFrame | None
    traits: VideoTraits
    small: SmallEncoder | None = None


ObstacleCache = dict[str, str | None]
"""Why a camera's H.264 cannot pass through, or None if it can; checked once, when the camera is first used."""


def start_capture(
    camera: Camera, config: CaptureConfig, board: Board, obstacles: ObstacleCache, small: VideoSink | None = None
) -> CaptureSession:
    """Choose a mode, start it, and log it. Raises `SourceError`, and OSError of the camera.

    `small` takes the small rendition.
    """
    set_controls(camera, config.controls)
    flips = frozenset() if flip_in_camera(camera, config.flips) else config.flips
    obstacle = "the camera cannot flip it" if flips else obstacles.get(_identity(camera.node))
    choice = _choose(camera, config, obstacle)
    if choice.passthrough:
        session = _start_passthrough(camera, config, choice, obstacles)
        if session:
            return session
        choice = _choose(camera, config, obstacles[_identity(camera.node)])
    return _start_transcoding(camera, config, choice, board, flips, small)


def _choose(camera: Camera, config: CaptureConfig, obstacle: str | None) -> Choice:
    modes = camera.modes(config.requested)
    choice = choose_mode(modes, config.requested, obstacle)
    if choice is None:
        formats = ", ".join(sorted({mode.pixel_format for mode in modes})) or "none"
        raise _unsupported(camera.node, formats)
    return choice


def _start(camera: Camera, mode: Mode) -> Mode:
    actual = camera.start(mode)
    if actual.pixel_format not in COST:  # a driver may set another format than requested (VIDIOC_S_FMT)
        raise _unsupported(camera.node, actual.pixel_format)
    return actual


def _unsupported(node: Node, formats: str) -> SourceError:
    text = f"none of its formats is supported ({formats}); use another camera"
    return SourceError(StreamReason.NO_CAMERA, f"{_name(node)}: {text}")


def _start_passthrough(
    camera: Camera, config: CaptureConfig, choice: Choice, obstacles: ObstacleCache
) -> CaptureSession | None:
    """Start passing the camera's own H.264 through; if that is impossible, stop, store why and return None."""
    _configure_encoder(camera, config, choice.mode)
    mode = _start(camera, choice.mode)
    pipeline = Passthrough(camera)
    identity = _identity(camera.node)
    obstacle, first_frame = _check_h264(camera, pipeline, check_interval=identity not in obstacles)
    obstacles[identity] = obstacle
    if obstacle:
        camera.stop()
        return None
    log.info("%s: %s passes through without encoding (%s)", _name(camera.node), mode, choice.reason)
    can_force, can_set = pipeline.can_force_keyframe, pipeline.can_set_bitrate
    no_small = "the camera's own H.264 passes through, so there are no pictures to encode a second time"
    traits = VideoTraits(
        "v4l2", pipeline.encoder, mode.width, mode.height, mode.fps, can_force, can_set, no_small=no_small
    )
    return CaptureSession(camera, pipeline, first_frame, traits)


def _configure_encoder(camera: Camera, config: CaptureConfig, mode: Mode) -> None:
    """Set those parameters of the camera's own encoder that it offers."""
    for control, value in (
        (v4l2.PROFILE, v4l2.CONSTRAINED_BASELINE),
        (v4l2.REPEAT_SETS, 1),
        (v4l2.KEYFRAME_INTERVAL, round(config.keyframe_interval * mode.fps)),
        (v4l2.BITRATE, config.bitrate),
    ):
        if camera.has(control):
            camera.set(control, value)


def _check_h264(
    camera: Camera, pipeline: Passthrough, *, check_interval: bool
) -> tuple[str | None, CapturedFrame | None]:
    """Read until a keyframe; return why the camera's H.264 cannot pass through, or the keyframe to start with.

    With `check_interval`, also check that keyframes come often enough for new viewers, unless they can be requested.
    """
    count = 0
    deadline = time.monotonic() + FIRST_KEYFRAME_LIMIT
    while time.monotonic() < deadline:
        frame = camera.read(time.monotonic()) if camera.is_ready(_POLL_TIMEOUT) else None
        data, keyframe = pipeline.sets.complete(frame.data) if frame else (b"", False)
        if not frame or not keyframe:
            continue
        if pipeline.sets.obstacle:
            return pipeline.sets.obstacle, None
        count += 1
        if count > 1 or pipeline.can_force_keyframe or not check_interval:
            return None, CapturedFrame(data, frame.captured, frame.number)
        deadline = time.monotonic() + MAX_CACHE_DURATION + _KEYFRAME_TOLERANCE
    if count:
        return f"its keyframes are more than {MAX_CACHE_DURATION:g} s apart and cannot be requested", None
    return f"no keyframe came within {FIRST_KEYFRAME_LIMIT:g} s", None


def _start_transcoding(
    camera: Camera,
    config: CaptureConfig,
    choice: Choice,
    board: Board,
    flips: frozenset[str],
    small: VideoSink | None,
) -> CaptureSession:
    mode, requested = _start(camera, choice.mode), config.requested
    width, height = fitted_size(mode.width, mode.height, requested.width, requested.height)
    decimator = FrameDecimator(requested.fps) if mode.fps > requested.fps * DECIMATION_THRESHOLD else None
    fps = requested.fps if decimator else mode.fps
    encoder = make_encoder(
        board, width=width, height=height, fps=fps, bitrate=config.bitrate, interval=config.keyframe_interval
    )
    pipeline = Transcoder(Decoder(mode, camera.stride), Scaler(width, height, *sorted(flips)), encoder, decimator, fps)
    log.info(
        "%s: %s (%s), sent as %dx%d encoded by %s",
        _name(camera.node),
        mode,
        choice.reason,
        width,
        height,
        pipeline.encoder,
    )
    traits = VideoTraits(
        "v4l2",
        pipeline.encoder,
        width,
        height,
        fps,
        can_force_keyframe=True,
        can_set_bitrate=True,
        small_size=config.small.size(width, height),
        no_small=config.small.obstacle(width, height),
    )
    small_encoder = config.small.encoder(small, width, height, config.keyframe_interval)
    return CaptureSession(camera, pipeline, None, traits, small_encoder)


def _identity(node: Node) -> str:
    """Return a key that stays the same when the camera is plugged into another port."""
    return f"{node.driver}/{node.card}"


def _name(node: Node) -> str:
    return f"{node.card} ({node.path})"
