"""Checks of camera, encoder, microphone, permissions and pins."""

import logging
from dataclasses import replace

import pytest

from broadcaster.devices.board import read_board
from broadcaster.devices.holders import Process
from broadcaster.devices.self_test import AudioTestResult, VideoTestResult
from broadcaster.doctor.advice import source_fix
from broadcaster.doctor.checks import camera, encoder, microphone, permissions, pins
from broadcaster.doctor.checks.permissions import Devices
from broadcaster.doctor.context import DaemonStatus, parse_status
from broadcaster.doctor.isolation import captured_logs
from broadcaster.doctor.result import Level
from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from broadcaster.ports import VideoTraits
from broadcaster.settings import PanelSettings, VideoSettings

CAMERA = VideoTraits("imx708", "hardware (bcm2835)", 1280, 720, 30.0, True, True)
TEST_PICTURE = VideoTraits("test", "libx264", 1280, 720, 30.0, True, True)
AUTO = VideoSettings()
LIVE = DaemonStatus("live", "", "on", "imx708", "hardware", "alsa", 1280, 720, 30.0, 900, 2)


def video_result(traits=CAMERA, startup=1.2, fps=29.9, error=None, closed=True):
    return VideoTestResult(traits, startup, fps, error, closed)


def audio_result(frames=60, peak=-12.0, rms=-30.0, error=None, closed=True):
    return AudioTestResult("alsa", frames, peak, rms, error, closed)


def test_camera_with_pictures_is_fine():
    result = camera.evaluate(video_result(), AUTO, ["imx708: by its hardware encoder"])
    assert result.level is Level.OK
    assert result.found == "imx708, 1280×720, first picture after 1.2 s\nimx708: by its hardware encoder"


@pytest.mark.parametrize("reason", list(StreamReason))
def test_failed_camera_is_broken_with_the_source_s_error_and_a_fix(reason):
    failed = video_result(startup=None, fps=0.0, error=SourceError(reason, "error of the source"))
    result = camera.evaluate(failed, VideoSettings(file="/film.mp4"))
    assert (result.level, result.found) == (Level.BROKEN, "error of the source")
    assert "\n  " in result.fix
    assert ("/film.mp4" in result.fix) == (reason is StreamReason.FILE)


def test_holder_of_a_busy_camera_is_named_once():
    others = {Process(77, "rpicam-vid")}
    busy = video_result(startup=None, error=SourceError(StreamReason.CAMERA_BUSY, "in use"))
    assert camera.evaluate(busy, AUTO, holders=others).found == "in use; it is held by rpicam-vid (process 77)"
    assert camera.evaluate(busy, AUTO).found == "in use"
    named = video_result(
        startup=None, error=SourceError(StreamReason.CAMERA_BUSY, "in use by rpicam-vid -t 0 (process 77)")
    )
    assert camera.evaluate(named, AUTO, holders=others).found == "in use by rpicam-vid -t 0 (process 77)"
    absent = video_result(startup=None, error=SourceError(StreamReason.NO_CAMERA, "no camera"))
    assert camera.evaluate(absent, AUTO, holders=others).found == "no camera"


def test_camera_without_a_picture_is_broken():
    result = camera.evaluate(video_result(startup=None, fps=0.0), AUTO)
    assert (result.level, result.found) == (Level.BROKEN, "imx708 was opened, but delivered no picture within 10 s")


def test_auto_source_without_a_camera_is_a_warning_with_the_cause():
    result = camera.evaluate(video_result(TEST_PICTURE), AUTO, ["no camera was found (because)"])
    assert (result.level, result.found) == (Level.WARNING, "no camera was found (because)")


def test_configured_test_picture_is_fine():
    assert camera.evaluate(video_result(TEST_PICTURE), VideoSettings(source="test")).level is Level.OK


@pytest.mark.parametrize(("rate", "level"), [(30.0, "ok"), (27.1, "ok"), (26.9, "warning"), (0.0, "warning")])
def test_low_frame_rate_is_a_warning(rate, level):
    assert camera.evaluate(video_result(fps=rate), AUTO).level == level
    assert encoder.evaluate_frame_rate(CAMERA, rate).level == level
    assert encoder.evaluate_live(LIVE, rate).level == level


def test_camera_that_does_not_close_is_a_warning():
    assert camera.evaluate(video_result(closed=False), AUTO).level is Level.WARNING


@pytest.mark.parametrize(("speed", "level"), [(120.0, "ok"), (45.0, "ok"), (44.0, "warning"), (12.0, "warning")])
def test_software_encoder_needs_headroom(speed, level):
    result = encoder.evaluate_speed(speed, AUTO)
    assert result.level == level
    assert result.found == f"libx264 can encode {speed:.0f} fps at 1280×720; the stream needs 30"


def test_missing_video_source_points_to_the_camera_s_result():
    result = encoder.no_source()
    assert result.level is Level.BROKEN
    assert "camera" in result.fix


def test_devices_of_the_running_daemon_are_fine():
    assert camera.evaluate_running(LIVE, AUTO).found == "in use by the running broadcaster (imx708, 1280×720)"
    assert microphone.evaluate_running(LIVE).found == "in use by the running broadcaster (alsa)"


def test_failed_devices_of_the_running_daemon_are_broken():
    failed = DaemonStatus("failed", "camera-busy", "lost", "imx708", "hardware", "alsa", 1280, 720, 30.0, 0, 0)
    assert failed.holds_devices
    busy = camera.evaluate_running(failed, AUTO)
    assert busy.level is Level.BROKEN
    assert "another program uses the camera" in busy.found
    assert "fuser" in busy.fix
    assert microphone.evaluate_running(failed).level is Level.BROKEN
    assert encoder.evaluate_live(failed, None).found == "hardware, not measured: the running broadcaster is failed"


def test_missing_film_of_the_running_daemon_is_named_with_the_fix():
    film = VideoSettings(source="file", file="/films/no film.mp4")
    problem = "/films/no film.mp4: No such file or directory"
    failed = replace(LIVE, state="failed", reason="file", problem=problem)
    result = camera.evaluate_running(failed, film)
    assert result.found.endswith(problem)
    assert "ls -l '/films/no film.mp4'" in result.fix


@pytest.mark.parametrize("reason", [StreamReason.NO_CAMERA, StreamReason.CAMERA_LOST, StreamReason.CAMERA_STALLED])
def test_cables_are_named_only_where_the_source_may_have_one(reason):
    def cables(source: str, *, on_a_pi: bool = True) -> tuple[bool, bool]:
        fix = source_fix(reason, VideoSettings(source=source), on_a_pi=on_a_pi)
        return "Plug in a USB camera" in fix, "camera cable" in fix

    for source in ("auto", "camera"):
        assert cables(source) == (True, True)
        assert cables(source, on_a_pi=False) == (True, False)
    assert cables("v4l2") == (True, False)
    assert cables("picamera2") == (False, True)
    for source in ("file", "test"):
        assert cables(source) == (False, False)
    assert cables("picamera2", on_a_pi=False) == (False, False)


def test_status_of_a_private_daemon_has_only_the_state():
    status = parse_status({"stream": {"state": "live"}, "private": True})
    assert status is not None
    assert (status.state, status.holds_devices, status.source) == ("live", True, "")


@pytest.mark.parametrize("answer", [None, [], {}, {"stream": 1}, {"stream": {"state": "live"}, "source": "x"}])
def test_answer_of_another_program_is_no_status(answer):
    assert parse_status(answer) is None


@pytest.mark.parametrize(
    ("rms", "peak", "level", "found"),
    [
        (-30.0, -12.0, "ok", "alsa: level -30 dB, peaks -12 dB"),
        (-55.0, -40.0, "warning", "very quiet"),
        (-80.0, -70.0, "warning", "silent (-80 dB)"),
        (None, None, "warning", "silent (no signal at all)"),
        (-8.0, 0.0, "warning", "too loud"),
    ],
)
def test_microphone_level_limits(rms, peak, level, found):
    result = microphone.evaluate(audio_result(rms=rms, peak=peak))
    assert result.level == level
    assert found in result.found


def test_microphone_has_the_name_that_the_daemon_logs():
    result = microphone.evaluate(audio_result(), ["other", "microphone Device (USB Audio): recording, mono"])
    assert result.found.startswith("Device (USB Audio): recording, mono: level -30 dB")


def test_failed_microphone_is_broken_or_a_warning():
    failed = microphone.evaluate(
        audio_result(frames=0, rms=None, peak=None, error=SourceError("internal", "no arecord here"))
    )
    assert (failed.level, failed.found) == (Level.BROKEN, "no arecord here")
    assert microphone.evaluate(audio_result(frames=0, rms=None, peak=None)).level is Level.BROKEN
    assert microphone.evaluate(audio_result(closed=False)).level is Level.WARNING


def test_missing_microphone_is_fine_if_none_is_required():
    assert microphone.evaluate(None).level is Level.OK
    absent = microphone.evaluate(audio_result(frames=0, error=SourceAbsent("internal", "no capture device")))
    assert absent.level is Level.OK
    assert "no capture device" in absent.found


def test_inaccessible_device_is_broken_with_the_missing_group():
    nodes = tuple(f"/dev/video{number}" for number in range(5))
    result = permissions.evaluate([Devices("video", "video", True, nodes, nodes)], {"users"}, "pi")
    assert result.level is Level.BROKEN
    assert result.found == "user pi may not open /dev/video0, /dev/video1, /dev/video2 and 2 more"
    assert "sudo usermod -aG video pi" in result.fix


def test_inaccessible_device_with_the_right_group_points_to_its_permissions():
    gpio = Devices("GPIO", "gpio", True, ("/dev/gpiochip0",), ("/dev/gpiochip0",))
    result = permissions.evaluate([gpio], {"gpio"}, "pi")
    assert "ls -l /dev/gpiochip0" in result.fix
    assert "usermod" not in result.fix


def test_inaccessible_device_that_is_not_needed_is_fine():
    gpio = Devices("GPIO", "gpio", False, ("/dev/gpiochip0",), ("/dev/gpiochip0",))
    result = permissions.evaluate([gpio], set(), "pi")
    assert (result.level, result.found) == (Level.OK, "user pi may open 0 of 1 GPIO devices")


def test_captured_logs_collects_messages_and_restores_the_logger():
    logger = logging.getLogger("broadcaster.devices")
    before = logger.handlers, logger.propagate, logger.level
    with captured_logs("broadcaster.devices") as logs:
        logging.getLogger("broadcaster.devices.choose").warning("none: %s", "gone")
        logging.getLogger("broadcaster.web").warning("another logger")
    assert logs == ["none: gone"]
    assert (logger.handlers, logger.propagate, logger.level) == before


PANEL = PanelSettings(enabled=True, watch_lamp=22)


@pytest.mark.parametrize(
    ("problem", "running", "level", "found"),
    [
        ("", False, "ok", "free: button on GPIO 17, lamp on GPIO 27, watch_lamp on GPIO 22"),
        ("", True, "warning", "the running broadcaster does not use its pins"),
        ("GPIO 17 cannot be used: 'GPIO busy'", True, "ok", "in use by the running broadcaster"),
        ("GPIO 17 cannot be used: 'GPIO busy'", False, "broken", "GPIO busy"),
        ("this is no Raspberry Pi: it has no pins", True, "broken", "no Raspberry Pi"),
        ("the library for the pins cannot be loaded (x)", False, "broken", "cannot be loaded"),
    ],
)
def test_pins_must_be_free_or_used_by_the_daemon(problem, running, level, found):
    result = pins.evaluate(PANEL, problem, running=running)
    assert result.level == level
    assert found in result.found


def test_pins_of_a_disabled_panel_are_not_used():
    assert pins.evaluate(PanelSettings(), "", running=True).found == "not used (panel.enabled = false)"


async def test_pins_are_released_after_the_check(monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert await pins.try_pins(PANEL) == ""
    assert await pins.try_pins(PANEL) == ""


@pytest.mark.skipif(read_board().is_raspberry_pi, reason="this machine has pins")
async def test_machine_without_pins_is_reported(monkeypatch):
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    assert await pins.try_pins(PANEL)
