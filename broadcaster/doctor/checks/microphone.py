"""The microphone: open it as the daemon would, and measure its level for a second."""

from __future__ import annotations

from collections.abc import Sequence

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.self_test import AudioTestResult, Limits, run_audio_test
from broadcaster.doctor.advice import READ_LOG, change_settings
from broadcaster.doctor.context import CheckContext, DaemonStatus
from broadcaster.doctor.isolation import captured_logs, run_coroutine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError, SourceAbsent

LIMITS = Limits(first_item=5.0, measuring=1.2, closing=3.0)
"""The first 0.2 s are not measured: many microphones start with a click."""
SILENT, QUIET, CLIPPED = -70.0, -50.0, -0.5
"""dBFS: RMS below the first means no microphone, below the second speech is inaudible; peaks above the third clip."""

_ABOUT = Subject("microphone", "Without a microphone the stream continues, but without audio.")
_CHOOSE = "List the microphones, and set audio.device to one of them:\n  arecord -l"


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    if context.device_owner is not None:
        return [evaluate_running(context.device_owner)]
    with captured_logs("broadcaster.devices") as logs:
        try:
            _, audio = make_sources(context.settings.video, context.settings.audio, SystemClock())
        except BroadcasterError as error:
            fix = 'Fix the camera first (see the line "camera"), because the audio source depends on the video source.'
            return [_ABOUT.broken(str(error), fix)]
        measured = run_coroutine(run_audio_test(audio, LIMITS)) if audio is not None else None
    return [evaluate(measured, logs)]


def evaluate(measured: AudioTestResult | None, logs: Sequence[str] = ()) -> CheckResult:
    """Require audio at a useful level; `logs` are the source's log messages."""
    if measured is None:
        return _ABOUT.ok("the stream has no audio (audio.source)")
    if isinstance(measured.error, SourceAbsent):
        return _ABOUT.ok(f"none was found, so the stream has no audio: {measured.error.detail}")
    if measured.error is not None:
        return _ABOUT.broken(measured.error.detail, _CHOOSE)
    if not measured.frames:
        found = f"{measured.name} was opened, but delivered no audio within {LIMITS.first_item:g} s"
        return _ABOUT.broken(found, _CHOOSE)
    name = next((line for line in logs if line.startswith("microphone ")), measured.name).removeprefix("microphone ")
    if not measured.closed:
        found = f"{name} could not be closed within {LIMITS.closing:g} s"
        return _ABOUT.warning(found, "Unplug the microphone and plug it in again.")
    return _evaluate_level(measured, name)


def evaluate_running(running: DaemonStatus) -> CheckResult:
    """Report the microphone of the running daemon, which has it open."""
    if running.sound == "lost":
        return _ABOUT.broken(f"the running broadcaster gets no audio from {running.audio_source}", READ_LOG)
    if running.sound == "none":
        return _ABOUT.ok("the stream has no audio (audio.source)")
    return _ABOUT.ok(f"in use by the running broadcaster ({running.audio_source})")


def _evaluate_level(measured: AudioTestResult, name: str) -> CheckResult:
    if measured.rms is None or measured.rms < SILENT or measured.peak is None:
        level = "no signal at all" if measured.rms is None else f"{measured.rms:.0f} dB"
        fix = (
            "Unmute the microphone and turn it up:\n  alsamixer    # F6: sound card, F4: capture\n"
            "Or set audio.device to another one:\n  arecord -l"
        )
        return _ABOUT.warning(f"{name}: silent ({level})", fix)
    found = f"{name}: level {measured.rms:.0f} dB, peaks {measured.peak:.0f} dB"
    if measured.rms < QUIET:
        advice = "Speak during the check. If the level is still too low, raise the gain: [audio] gain = 12"
        return _ABOUT.warning(f"{found}: very quiet", change_settings(advice))
    if measured.peak > CLIPPED:
        return _ABOUT.warning(f"{found}: too loud", change_settings("Lower the gain: [audio] gain = -6"))
    return _ABOUT.ok(found)
