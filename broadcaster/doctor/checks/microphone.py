"""The microphone: opened as the daemon would, and its level over a second."""

from __future__ import annotations

from collections.abc import Sequence

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.self_test import AudioTestResult, Limits, run_audio_test
from broadcaster.doctor.advice import SEE_LOG, change
from broadcaster.doctor.context import CheckContext, Running
from broadcaster.doctor.isolation import complete, notes_of
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError, SourceAbsent

LIMITS = Limits(first_item=5.0, measuring=1.2, closing=3.0)
"""The first 0.2 s are not measured: many microphones begin with a click."""
SILENT, QUIET, CLIPPED = -70.0, -50.0, -0.5
"""dBFS: below the first is no microphone, below the second nobody is heard; at the third it distorts."""

_ABOUT = Subject("microphone", "Without it the stream goes on, and has no sound.")
_LOOK = "See which there are, and name one in audio.device:\n  arecord -l"


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    if case.on_air is not None:
        return [evaluate_running(case.on_air)]
    with notes_of("broadcaster.devices") as said:
        try:
            _, audio = make_sources(case.settings.video, case.settings.audio, SystemClock())
        except BroadcasterError as error:
            return [_ABOUT.broken(str(error), "See the line camera: what goes with the picture depends on it.")]
        heard = complete(run_audio_test(audio, LIMITS)) if audio is not None else None
    return [evaluate(heard, said)]


def evaluate(heard: AudioTestResult | None, said: Sequence[str] = ()) -> CheckResult:
    """There is sound, and neither too little of it nor too much; `said` is what the source logged."""
    if heard is None:
        return _ABOUT.ok("the stream has no sound (audio.source)")
    if isinstance(heard.error, SourceAbsent):
        return _ABOUT.ok(f"none, so the stream has no sound: {heard.error.detail}")
    if heard.error is not None:
        return _ABOUT.broken(heard.error.detail, _LOOK)
    if not heard.frames:
        return _ABOUT.broken(f"{heard.name} was opened, and gave no sound within {LIMITS.first_item:g} s", _LOOK)
    name = next((one for one in said if one.startswith("microphone ")), heard.name).removeprefix("microphone ")
    if not heard.closed:
        return _ABOUT.warning(f"{name} does not let itself be closed", "Unplug it, and plug it in again.")
    return _evaluate_level(heard, name)


def evaluate_running(running: Running) -> CheckResult:
    """What the daemon that holds it says of it."""
    if running.sound == "lost":
        return _ABOUT.broken(f"the running broadcaster has no sound from {running.audio_source}", SEE_LOG)
    if running.sound == "none":
        return _ABOUT.ok("the stream has no sound (audio.source)")
    return _ABOUT.ok(f"in use by the running broadcaster: fine ({running.audio_source})")


def _evaluate_level(heard: AudioTestResult, name: str) -> CheckResult:
    if heard.rms is None or heard.rms < SILENT or heard.peak is None:
        level = "nothing at all" if heard.rms is None else f"{heard.rms:.0f} dB"
        fix = "Switch it on, and turn it up:\n  alsamixer    # F4, F6\nor name another in audio.device:\n  arecord -l"
        return _ABOUT.warning(f"{name}: silent ({level})", fix)
    found = f"{name}: level {heard.rms:.0f} dB, peaks {heard.peak:.0f} dB"
    if heard.rms < QUIET:
        return _ABOUT.warning(
            f"{found}: very quiet", change("Speak while it is checked. If it stays so: [audio] gain = 12")
        )
    if heard.peak > CLIPPED:
        return _ABOUT.warning(f"{found}: too loud", change("Turn it down: [audio] gain = -6"))
    return _ABOUT.ok(found)
