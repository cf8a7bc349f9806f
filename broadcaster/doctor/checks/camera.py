"""Camera, encoder and second rendition: open the source that the daemon would open, and measure its frame rates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.holders import Process
from broadcaster.devices.self_test import (
    Limits,
    SmallTestResult,
    VideoTestResult,
    measure_encoding_speed,
    measure_encoding_speed_of_both,
    run_video_test,
)
from broadcaster.doctor.advice import LOWER_RESOLUTION, copy_out_of_sandbox, has_usb_library, source_fix
from broadcaster.doctor.checks import rendition
from broadcaster.doctor.checks.encoder import (
    MIN_RATE,
    SOFTWARE,
    evaluate_frame_rate,
    evaluate_live,
    evaluate_speed,
    no_encoder,
    no_source,
    not_measured,
)
from broadcaster.doctor.context import CheckContext, DaemonStatus
from broadcaster.doctor.isolation import captured_logs, run_coroutine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError, SourceError, StreamReason, describe_reason
from broadcaster.settings import VideoSettings

MEASUREMENT = 3.0
"""Seconds for which frames are counted, and for which the software encoder runs at full speed."""
SHORT_MEASUREMENT = 1.0
"""Seconds for which frames are counted if the encoder is measured on its own."""
FIRST_PICTURE_TIMEOUT, CLOSE_TIMEOUT = 10.0, 5.0
"""Seconds; a camera usually needs one or two for its first picture."""
_MAX_LOG_LINES = 3
"""Log lines of the source in the result: which camera it is, in which mode, and why."""

Fix = Callable[[str, VideoSettings], str]

_ABOUT = Subject("camera", "The stream's video comes from the camera.")


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the results for camera, encoder and second rendition."""
    film = context.settings.video.file if context.settings.video.source == "file" else ""
    if hidden := context.hides(film):
        return [_ABOUT.broken(f"{film}: {hidden}", copy_out_of_sandbox(film)), no_source(), rendition.not_checked()]
    if context.device_owner is not None:
        running = context.device_owner
        live = evaluate_live(running, _live_rate(context, running))
        camera = evaluate_running(running, context.settings.video, fix_for(context))
        return [camera, live, rendition.running(context.settings.video.second)]
    with captured_logs("broadcaster.devices") as logs:
        try:
            video, _ = make_sources(context.settings.video, context.settings.audio, SystemClock())
        except BroadcasterError as error:
            fix = fix_for(context)(getattr(error, "reason", ""), context.settings.video)
            return [_ABOUT.broken(str(error), fix), no_source(), rendition.not_checked()]
        duration = SHORT_MEASUREMENT if video.traits.encoder == SOFTWARE else MEASUREMENT
        measured = run_coroutine(run_video_test(video, Limits(FIRST_PICTURE_TIMEOUT, duration, CLOSE_TIMEOUT)))
    holders = context.holders.of_devices("/dev/video", "/dev/media")
    camera = evaluate(measured, context.settings.video, logs, holders, fix_for(context))
    return [camera, _probe_encoder(context, measured), _probe_rendition(context, measured)]


def _probe_encoder(context: CheckContext, measured: VideoTestResult) -> CheckResult:
    if measured.startup is not None and measured.traits.encoder != SOFTWARE:
        return evaluate_frame_rate(measured.traits, measured.fps)
    if measured.startup is None and context.board.h264_encoder:
        return not_measured(context.board.h264_encoder)
    try:
        return evaluate_speed(measure_encoding_speed(context.settings.video, MEASUREMENT), context.settings.video)
    except SourceError as error:
        return no_encoder(error.detail)


def _probe_rendition(context: CheckContext, measured: VideoTestResult) -> CheckResult:
    traits, speed = measured.traits, None
    works = measured.small is not None and measured.small.fps > 0
    if works and traits.small_size is not None and traits.encoder == SOFTWARE:
        try:
            speed = measure_encoding_speed_of_both(context.settings.video, traits.small_size, MEASUREMENT)
        except SourceError as error:
            measured = replace(measured, small=SmallTestResult(0.0, 0.0, error))
    return rendition.evaluate(measured, speed)


def fix_for(context: CheckContext) -> Fix:
    """Return `source_fix` for this machine: its libraries, and whether it may have a ribbon cable."""
    return partial(source_fix, usb_library=has_usb_library(), on_a_pi=context.board.is_raspberry_pi)


def evaluate(
    measured: VideoTestResult,
    settings: VideoSettings,
    logs: Sequence[str] = (),
    holders: Iterable[Process] = (),
    fix: Fix = source_fix,
) -> CheckResult:
    """Require a picture in time and nearly the nominal frame rate; `logs` are the source's log messages."""
    source = measured.traits.source
    if measured.error is not None:
        return _ABOUT.broken(_describe_error(measured.error, holders), fix(measured.error.reason, settings))
    if measured.startup is None:
        found = f"{source} was opened, but delivered no picture within {FIRST_PICTURE_TIMEOUT:g} s"
        return _ABOUT.broken(found, fix(StreamReason.CAMERA_STALLED, settings))
    if not measured.closed:
        found = f"{source} delivers pictures, but could not be closed within {CLOSE_TIMEOUT:g} s"
        return _ABOUT.warning(found, fix(StreamReason.CAMERA_STALLED, settings))
    if settings.source == "auto" and source == "test":
        found = next(iter(logs), "no camera was found; viewers see the test picture")
        return _ABOUT.warning(found, fix(StreamReason.NO_CAMERA, settings))
    found = f"{_name(measured, settings)}, first picture after {measured.startup:.1f} s"
    if measured.fps < MIN_RATE * measured.traits.fps:
        slow = f"{found}, but only {measured.fps:.1f} fps instead of {measured.traits.fps:g}"
        light = "Give the camera more light, because long exposures lower its frame rate. If that is not enough:"
        return _ABOUT.warning("\n".join([slow, *logs[:_MAX_LOG_LINES]]), f"{light}\n{LOWER_RESOLUTION}")
    return _ABOUT.ok("\n".join([found, *logs[:_MAX_LOG_LINES]]))


def evaluate_running(running: DaemonStatus, settings: VideoSettings, fix: Fix = source_fix) -> CheckResult:
    """Report the camera of the running daemon, which has it open."""
    if running.state == "failed":
        found = f"the running broadcaster gets no pictures: {running.problem or describe_reason(running.reason)}"
        return _ABOUT.broken(found, fix(running.reason, settings))
    shown = f"{running.source}, {running.width}×{running.height}"
    return _ABOUT.ok(f"in use by the running broadcaster ({shown})")


def _name(measured: VideoTestResult, settings: VideoSettings) -> str:
    name = settings.file if measured.traits.source == "file" else measured.traits.source
    return f"{name}, {measured.traits.width}×{measured.traits.height}"


def _describe_error(error: SourceError, holders: Iterable[Process]) -> str:
    """Return the source's error text, and the holders of a busy camera that it does not name itself."""
    others = sorted(str(process) for process in holders if f"(process {process.pid})" not in error.detail)
    if error.reason != StreamReason.CAMERA_BUSY or not others:
        return error.detail
    return f"{error.detail}; it is held by {', '.join(others)}"


def _live_rate(context: CheckContext, before: DaemonStatus) -> float | None:
    """Measure the frame rate of the running daemon; None if it is not live at the end."""
    before, began = context.query_daemon() or before, time.monotonic()
    time.sleep(MEASUREMENT)
    after = context.query_daemon()
    if after is None or after.state != "live":
        return None
    return (after.pictures - before.pictures) / (time.monotonic() - began)
