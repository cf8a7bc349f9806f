"""From a camera that is plugged in to pictures that flow, blocking: mode, encoder, turn, and what its H.264 is like."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from broadcaster.devices import v4l2
from broadcaster.devices.board import Board
from broadcaster.devices.scaler import Scaler, fitted_size
from broadcaster.devices.usb.camera import Camera, CapturedFrame, Node
from broadcaster.devices.usb.controls import flip_in_camera, set_controls
from broadcaster.devices.usb.decoding import Decoding
from broadcaster.devices.usb.formats import COST
from broadcaster.devices.usb.modes import Choice, Mode, Wanted, choose_mode
from broadcaster.devices.usb.pipelines import FrameDecimator, Passthrough, Pipeline, Transcoder, make_encoder
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import VideoTraits
from broadcaster.stream.rendition import LONGEST

log = logging.getLogger(__name__)

FIRST_KEYFRAME = 2.0
"""Seconds for the first keyframe of a camera's own H.264; an encoder begins with one."""
_LATENESS = 0.2
"""Seconds by which the second one may be late, because pictures come unevenly."""
HARDLY_FASTER = 1.2
"""A camera that gives up to so many times the wanted pictures is left its own, even rhythm."""
_WAIT = 0.1


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """What the settings ask of the picture: size and rate, bits a second, seconds, which way round, and controls."""

    wanted: Wanted
    bitrate: int
    keyframe_interval: float
    flips: frozenset[str] = frozenset()
    controls: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class CaptureSession:
    """A camera that delivers: how its pictures are made ready, the first if it was taken already, the traits."""

    camera: Camera
    way: Pipeline
    first: CapturedFrame | None
    traits: VideoTraits


Known = dict[str, str | None]
"""Why the H.264 of a camera cannot be sent, None where it can: found out once, when it is used for the first time."""


def start_capture(camera: Camera, order: CaptureConfig, board: Board, known: Known) -> CaptureSession:
    """Choose a mode, start it, and say so in the log. Raises `SourceError`, and OSError of the camera."""
    set_controls(camera, order.controls)
    left = frozenset() if flip_in_camera(camera, order.flips) else order.flips
    obstacle = "the camera cannot turn it" if left else known.get(_identity(camera.node))
    choice = _choose(camera, order, obstacle)
    if choice.passes:
        flow = _start_passing(camera, order, choice, known)
        if flow:
            return flow
        choice = _choose(camera, order, known[_identity(camera.node)])
    return _start_encoding(camera, order, choice, board, left)


def _choose(camera: Camera, order: CaptureConfig, obstacle: str | None) -> Choice:
    modes = camera.modes(order.wanted)
    choice = choose_mode(modes, order.wanted, obstacle)
    if choice is None:
        formats = ", ".join(sorted({mode.pixel_format for mode in modes})) or "none"
        raise _useless(camera.node, formats)
    return choice


def _start(camera: Camera, mode: Mode) -> Mode:
    got = camera.start(mode)
    if got.pixel_format not in COST:  # a driver may give what it likes (VIDIOC_S_FMT)
        raise _useless(camera.node, got.pixel_format)
    return got


def _useless(node: Node, formats: str) -> SourceError:
    words = f"it gives no pictures that can be used (formats: {formats}); use another camera"
    return SourceError(StreamReason.NO_CAMERA, f"{_name(node)}: {words}")


def _start_passing(camera: Camera, order: CaptureConfig, choice: Choice, known: Known) -> CaptureSession | None:
    """The camera's own H.264 on its way; None, and the obstacle in `known`, if it cannot be sent."""
    _tune(camera, order, choice.mode)
    mode = _start(camera, choice.mode)
    way = Passthrough(camera)
    identity = _identity(camera.node)
    obstacle, first = _try_h264(camera, way, thoroughly=identity not in known)
    known[identity] = obstacle
    if obstacle:
        camera.stop()
        return None
    log.info("%s: %s passes through without encoding, %s", _name(camera.node), mode, choice.why)
    forces, rates = way.can_force_keyframe, way.can_set_bitrate
    traits = VideoTraits("v4l2", way.encoder, mode.width, mode.height, mode.fps, forces, rates)
    return CaptureSession(camera, way, first, traits)


def _tune(camera: Camera, order: CaptureConfig, mode: Mode) -> None:
    """Set up a camera's own encoder as far as it can be."""
    for control, value in (
        (v4l2.PROFILE, v4l2.CONSTRAINED_BASELINE),
        (v4l2.REPEAT_SETS, 1),
        (v4l2.KEYFRAME_INTERVAL, round(order.keyframe_interval * mode.fps)),
        (v4l2.BITRATE, order.bitrate),
    ):
        if camera.has(control):
            camera.set(control, value)


def _try_h264(camera: Camera, way: Passthrough, *, thoroughly: bool) -> tuple[str | None, CapturedFrame | None]:
    """Look at a camera's H.264: what keeps it from being sent, or the keyframe to begin with.

    Thoroughly: also whether keyframes come often enough for newcomers, where the camera cannot be asked for one.
    """
    count = 0
    deadline = time.monotonic() + FIRST_KEYFRAME
    while time.monotonic() < deadline:
        shot = camera.read(time.monotonic()) if camera.is_ready(_WAIT) else None
        data, keyframe = way.sets.complete(shot.data) if shot else (b"", False)
        if not shot or not keyframe:
            continue
        if way.sets.obstacle:
            return way.sets.obstacle, None
        count += 1
        if count > 1 or way.can_force_keyframe or not thoroughly:
            return None, CapturedFrame(data, shot.captured, shot.number)
        deadline = time.monotonic() + LONGEST + _LATENESS
    if count:
        return f"its keyframes are more than {LONGEST:g} s apart, and it cannot be asked for one", None
    return f"no keyframe came within {FIRST_KEYFRAME:g} s", None


def _start_encoding(
    camera: Camera, order: CaptureConfig, choice: Choice, board: Board, flips: frozenset[str]
) -> CaptureSession:
    mode = _start(camera, choice.mode)
    width, height = fitted_size(mode.width, mode.height, order.wanted.width, order.wanted.height)
    thinning = FrameDecimator(order.wanted.fps) if mode.fps > order.wanted.fps * HARDLY_FASTER else None
    fps = order.wanted.fps if thinning else mode.fps
    encoder = make_encoder(
        board, width=width, height=height, fps=fps, bitrate=order.bitrate, interval=order.keyframe_interval
    )
    way = Transcoder(Decoding(mode, camera.stride), Scaler(width, height, *sorted(flips)), encoder, thinning)
    log.info("%s: %s, sent as %dx%d by %s, %s", _name(camera.node), mode, width, height, way.encoder, choice.why)
    return CaptureSession(camera, way, None, VideoTraits("v4l2", way.encoder, width, height, fps, True, True))


def _identity(node: Node) -> str:
    """What stays the same when it is plugged into another port."""
    return f"{node.driver}/{node.card}"


def _name(node: Node) -> str:
    return f"{node.card} ({node.path})"
