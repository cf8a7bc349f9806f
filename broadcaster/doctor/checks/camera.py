"""Camera and encoder: the source that the daemon would open is opened, and its pictures are counted."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.holders import Process
from broadcaster.devices.self_test import Limits, VideoTestResult, measure_encoding_speed, run_video_test
from broadcaster.doctor.advice import SEE_LOG, SMALLER, source_fix, unhide
from broadcaster.doctor.checks.encoder import (
    ENOUGH,
    SOFTWARE,
    evaluate_frame_rate,
    evaluate_live,
    evaluate_speed,
    no_encoder,
    not_tried,
)
from broadcaster.doctor.context import CheckContext, Running
from broadcaster.doctor.isolation import complete, notes_of
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError, SourceError, StreamReason
from broadcaster.settings import VideoSettings

TRIAL = 3.0
"""Seconds that pictures are counted, and that the software encoder is driven flat out."""
GLANCE = 1.0
"""Seconds that pictures are counted, where the encoder has a trial of its own."""
PATIENCE, CLOSING = 10.0, 5.0
"""Seconds: a camera's first picture takes one or two; one that has none after ten has none."""
_MOST_SAID = 3
"""Lines of what the source logs: which camera it is, in which mode, and why."""

Fix = Callable[[str, VideoSettings], str]

_ABOUT = Subject("camera", "No pictures, no stream.")


def probe(case: CheckContext) -> list[CheckResult]:
    """Both lines."""
    film = case.settings.video.file if case.settings.video.source == "file" else ""
    if hidden := case.hides(film):
        return [_ABOUT.broken(f"{film}: {hidden}", unhide(film)), no_encoder()]
    if case.on_air is not None:
        return [evaluate_running(case.on_air), evaluate_live(case.on_air, _live_rate(case, case.on_air))]
    with notes_of("broadcaster.devices") as said:
        try:
            video, _ = make_sources(case.settings.video, case.settings.audio, SystemClock())
        except BroadcasterError as error:
            fix = fix_on(case)(getattr(error, "reason", ""), case.settings.video)
            return [_ABOUT.broken(str(error), fix), no_encoder()]
        counted = GLANCE if video.traits.encoder == SOFTWARE else TRIAL
        seen = complete(run_video_test(video, Limits(PATIENCE, counted, CLOSING)))
    holders = case.holders.of_devices("/dev/video", "/dev/media")
    camera = evaluate(seen, case.settings.video, said, holders, fix_on(case))
    if seen.startup is not None and seen.traits.encoder != SOFTWARE:
        return [camera, evaluate_frame_rate(seen.traits, seen.fps)]
    if seen.startup is None and case.board.h264_encoder:
        return [camera, not_tried(case.board.h264_encoder)]
    try:
        return [camera, evaluate_speed(measure_encoding_speed(case.settings.video, TRIAL), case.settings.video)]
    except SourceError as error:
        return [camera, no_encoder(error.detail)]


def fix_on(case: CheckContext) -> Fix:
    """Advice for this machine: the libraries that it has, and whether a camera's ribbon cable may be at fault."""
    found = importlib.util.find_spec("linuxpy") is not None
    return partial(source_fix, usb_library=found, on_a_pi=case.board.is_raspberry_pi)


def evaluate(
    seen: VideoTestResult,
    settings: VideoSettings,
    said: Sequence[str] = (),
    holders: Iterable[Process] = (),
    fix: Fix = source_fix,
) -> CheckResult:
    """A picture in time, and nearly as many as wanted; `said` is what the daemon would have logged."""
    if seen.error is not None:
        return _ABOUT.broken(_complaint(seen.error, holders), fix(seen.error.reason, settings))
    if seen.startup is None:
        found = f"{seen.traits.source} was opened, and gave no picture within {PATIENCE:g} s"
        return _ABOUT.broken(found, fix(StreamReason.CAMERA_STALLED, settings))
    if not seen.closed:
        found = f"{seen.traits.source} gives pictures, but does not let itself be closed"
        return _ABOUT.warning(found, fix(StreamReason.CAMERA_STALLED, settings))
    found = f"{_name(seen, settings)}, first picture after {seen.startup:.1f} s"
    if settings.source == "auto" and seen.traits.source == "test":
        found = "\n".join(["none found: viewers see the test picture", *said[:1]])
        return _ABOUT.warning(found, fix(StreamReason.NO_CAMERA, settings))
    if seen.fps < ENOUGH * seen.traits.fps:
        found = "\n".join(
            [f"{found}, only {seen.fps:.1f} pictures a second of {seen.traits.fps:g}", *said[:_MOST_SAID]]
        )
        return _ABOUT.warning(found, f"Give it more light, or do not expect as many. {SMALLER}")
    return _ABOUT.ok("\n".join([found, *said[:_MOST_SAID]]))


def evaluate_running(running: Running) -> CheckResult:
    """What the daemon that holds it says of it."""
    shown = f"{running.source}, {running.width}×{running.height}"
    if running.state == "failed":
        return _ABOUT.broken(f"the running broadcaster has no pictures: {running.reason}", SEE_LOG)
    return _ABOUT.ok(f"in use by the running broadcaster: fine ({shown})")


def _name(seen: VideoTestResult, settings: VideoSettings) -> str:
    named = settings.file if seen.traits.source == "file" else seen.traits.source
    return f"{named}, {seen.traits.width}×{seen.traits.height}"


def _complaint(error: SourceError, holders: Iterable[Process]) -> str:
    """What the source says, and who holds a busy camera, as far as it cannot see that itself."""
    others = sorted(str(one) for one in holders if f"(process {one.pid})" not in error.detail)
    if error.reason != StreamReason.CAMERA_BUSY or not others:
        return error.detail
    return f"{error.detail}; it is held by {', '.join(others)}"


def _live_rate(case: CheckContext, before: Running) -> float | None:
    """Pictures a second that the daemon makes now; None if it does not go on."""
    before, began = case.ask_again() or before, time.monotonic()
    time.sleep(TRIAL)
    after = case.ask_again()
    if after is None or after.state != "live":
        return None
    return (after.pictures - before.pictures) / (time.monotonic() - began)
