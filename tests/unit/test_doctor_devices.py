"""What the doctor thinks of cameras, encoders, microphones and permissions."""

import logging

import pytest

from broadcaster.devices.board import read_board
from broadcaster.devices.holders import Process
from broadcaster.devices.self_test import AudioTestResult, VideoTestResult
from broadcaster.doctor.checks import camera, encoder, microphone, permissions, pins
from broadcaster.doctor.checks.permissions import Devices
from broadcaster.doctor.context import Running, understand
from broadcaster.doctor.isolation import notes_of
from broadcaster.doctor.result import Level
from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from broadcaster.ports import VideoTraits
from broadcaster.settings import PanelSettings, VideoSettings

CAMERA = VideoTraits("imx708", "hardware (bcm2835)", 1280, 720, 30.0, True, True)
TEST = VideoTraits("test", "libx264", 1280, 720, 30.0, True, True)
AUTO = VideoSettings()
LIVE = Running("live", "", "on", "imx708", "hardware", "alsa", 1280, 720, 30.0, 900, 2)


def seen(traits=CAMERA, waited=1.2, rate=29.9, error=None, closed=True):
    return VideoTestResult(traits, waited, rate, error, closed)


def heard(frames=60, peak=-12.0, rms=-30.0, error=None, closed=True):
    return AudioTestResult("alsa", frames, peak, rms, error, closed)


def test_a_camera_that_gives_pictures_is_fine():
    line = camera.evaluate(seen(), AUTO, ["imx708: by its hardware encoder"])
    assert line.level is Level.OK
    assert line.found == "imx708, 1280×720, first picture after 1.2 s\nimx708: by its hardware encoder"


@pytest.mark.parametrize("reason", list(StreamReason))
def test_a_camera_that_fails_is_broken_in_its_own_words_and_with_a_fix(reason):
    failed = seen(waited=None, rate=0.0, error=SourceError(reason, "the very words"))
    line = camera.evaluate(failed, VideoSettings(file="/film.mp4"))
    assert (line.level, line.found) == (Level.BROKEN, "the very words")
    assert "\n  " in line.fix
    assert ("/film.mp4" in line.fix) == (reason is StreamReason.FILE)


def test_who_holds_a_busy_camera_is_said_unless_it_was():
    others = {Process(77, "rpicam-vid")}
    busy = seen(waited=None, error=SourceError(StreamReason.CAMERA_BUSY, "in use"))
    assert camera.evaluate(busy, AUTO, holders=others).found == "in use; it is held by rpicam-vid (process 77)"
    assert camera.evaluate(busy, AUTO).found == "in use"
    known = seen(waited=None, error=SourceError(StreamReason.CAMERA_BUSY, "in use by rpicam-vid -t 0 (process 77)"))
    assert camera.evaluate(known, AUTO, holders=others).found == "in use by rpicam-vid -t 0 (process 77)"
    gone = seen(waited=None, error=SourceError(StreamReason.NO_CAMERA, "no camera"))
    assert camera.evaluate(gone, AUTO, holders=others).found == "no camera"


def test_a_camera_without_a_picture_is_broken():
    line = camera.evaluate(seen(waited=None, rate=0.0), AUTO)
    assert (line.level, line.found) == (Level.BROKEN, "imx708 was opened, and gave no picture within 10 s")


def test_auto_without_a_camera_is_a_warning_that_says_why():
    line = camera.evaluate(seen(TEST), AUTO, ["no camera: because"])
    assert (line.level, line.found) == (Level.WARNING, "none found: viewers see the test picture\nno camera: because")


def test_the_test_picture_on_purpose_is_fine():
    assert camera.evaluate(seen(TEST), VideoSettings(source="test")).level is Level.OK


@pytest.mark.parametrize(("rate", "level"), [(30.0, "ok"), (27.1, "ok"), (26.9, "warning"), (0.0, "warning")])
def test_too_few_pictures_are_a_warning(rate, level):
    assert camera.evaluate(seen(rate=rate), AUTO).level == level
    assert encoder.evaluate_frame_rate(CAMERA, rate).level == level
    assert encoder.evaluate_live(LIVE, rate).level == level


def test_a_camera_that_cannot_be_closed_is_a_warning():
    assert camera.evaluate(seen(closed=False), AUTO).level is Level.WARNING


@pytest.mark.parametrize(("speed", "level"), [(120.0, "ok"), (45.0, "ok"), (44.0, "warning"), (12.0, "warning")])
def test_software_needs_something_to_spare(speed, level):
    line = encoder.evaluate_speed(speed, AUTO)
    assert line.level == level
    assert f"libx264 manages {speed:.0f} pictures a second at 1280×720, 30 are wanted" == line.found


def test_what_a_running_broadcaster_holds_is_fine():
    assert camera.evaluate_running(LIVE).found == "in use by the running broadcaster: fine (imx708, 1280×720)"
    assert microphone.evaluate_running(LIVE).found == "in use by the running broadcaster: fine (alsa)"


def test_what_a_running_broadcaster_misses_is_broken():
    failed = Running("failed", "camera-busy", "lost", "imx708", "hardware", "alsa", 1280, 720, 30.0, 0, 0)
    assert failed.holds_devices
    assert camera.evaluate_running(failed).level is Level.BROKEN
    assert "camera-busy" in camera.evaluate_running(failed).found
    assert microphone.evaluate_running(failed).level is Level.BROKEN
    assert encoder.evaluate_live(failed, None).found == "hardware, not tried: the running broadcaster is failed"


def test_a_private_broadcaster_is_one_that_tells_its_state_only():
    found = understand({"stream": {"state": "live"}, "private": True})
    assert found is not None
    assert (found.state, found.holds_devices, found.source) == ("live", True, "")


@pytest.mark.parametrize("answer", [None, [], {}, {"stream": 1}, {"stream": {"state": "live"}, "source": "x"}])
def test_somebody_elses_answer_is_no_broadcaster(answer):
    assert understand(answer) is None


@pytest.mark.parametrize(
    ("rms", "peak", "level", "says"),
    [
        (-30.0, -12.0, "ok", "alsa: level -30 dB, peaks -12 dB"),
        (-55.0, -40.0, "warning", "very quiet"),
        (-80.0, -70.0, "warning", "silent (-80 dB)"),
        (None, None, "warning", "silent (nothing at all)"),
        (-8.0, 0.0, "warning", "too loud"),
    ],
)
def test_levels(rms, peak, level, says):
    line = microphone.evaluate(heard(rms=rms, peak=peak))
    assert line.level == level
    assert says in line.found


def test_a_microphone_is_called_what_the_daemon_calls_it():
    line = microphone.evaluate(heard(), ["other", "microphone Device (USB Audio): recording, mono"])
    assert line.found.startswith("Device (USB Audio): recording, mono: level -30 dB")


def test_microphones_that_fail():
    lost = microphone.evaluate(heard(frames=0, rms=None, peak=None, error=SourceError("internal", "no arecord here")))
    assert (lost.level, lost.found) == (Level.BROKEN, "no arecord here")
    assert microphone.evaluate(heard(frames=0, rms=None, peak=None)).level is Level.BROKEN
    assert microphone.evaluate(heard(closed=False)).level is Level.WARNING


def test_no_microphone_where_none_must_be_is_fine():
    assert microphone.evaluate(None).level is Level.OK
    absent = microphone.evaluate(heard(frames=0, error=SourceAbsent("internal", "no capture device")))
    assert absent.level is Level.OK
    assert "no capture device" in absent.found


def test_a_device_that_is_needed_and_closed_is_broken_and_says_which_group_opens_it():
    nodes = tuple(f"/dev/video{number}" for number in range(5))
    line = permissions.evaluate([Devices("video", "video", True, nodes, nodes)], {"users"}, "pi")
    assert line.level is Level.BROKEN
    assert line.found == "user pi may not open /dev/video0, /dev/video1, /dev/video2 and 2 more"
    assert "sudo usermod -aG video pi" in line.fix


def test_the_right_group_and_still_closed_is_for_a_look_at_the_node():
    line = permissions.evaluate(
        [Devices("pins", "gpio", True, ("/dev/gpiochip0",), ("/dev/gpiochip0",))], {"gpio"}, "pi"
    )
    assert "ls -l /dev/gpiochip0" in line.fix
    assert "usermod" not in line.fix


def test_what_is_not_needed_may_be_closed():
    line = permissions.evaluate([Devices("pins", "gpio", False, ("/dev/gpiochip0",), ("/dev/gpiochip0",))], set(), "pi")
    assert (line.level, line.found) == (Level.OK, "user pi may open 0 of 1 pins devices")


def test_notes_are_taken_and_everything_is_as_before_after_that():
    logger = logging.getLogger("broadcaster.devices")
    before = logger.handlers, logger.propagate, logger.level
    with notes_of("broadcaster.devices") as said:
        logging.getLogger("broadcaster.devices.choose").warning("none: %s", "gone")
        logging.getLogger("broadcaster.web").warning("not mine")
    assert said == ["none: gone"]
    assert (logger.handlers, logger.propagate, logger.level) == before


PANEL = PanelSettings(enabled=True, watch_lamp=22)


@pytest.mark.parametrize(
    ("problem", "running", "level", "found"),
    [
        ("", False, "ok", "free: button at GPIO 17, lamp at GPIO 27, watch_lamp at GPIO 22"),
        ("", True, "warning", "free, so the running broadcaster does not use them"),
        ("GPIO 17 cannot be used: 'GPIO busy'", True, "ok", "in use by the running broadcaster: fine"),
        ("GPIO 17 cannot be used: 'GPIO busy'", False, "broken", "GPIO busy"),
        ("this is no Raspberry Pi: it has no pins", True, "broken", "no Raspberry Pi"),
        ("the library for the pins cannot be loaded (x)", False, "broken", "cannot be loaded"),
    ],
)
def test_the_pins(problem, running, level, found):
    line = pins.evaluate(PANEL, problem, running=running)
    assert line.level == level
    assert found in line.found


def test_pins_that_nobody_wants_are_not_touched():
    assert pins.evaluate(PanelSettings(), "", running=True).found == "not used (panel.enabled = false)"


async def test_pins_are_taken_and_given_back(monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert await pins.try_pins(PANEL) == ""
    assert await pins.try_pins(PANEL) == ""


@pytest.mark.skipif(read_board().is_raspberry_pi, reason="this machine has pins")
async def test_a_machine_without_pins_says_so(monkeypatch):
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    assert await pins.try_pins(PANEL)
