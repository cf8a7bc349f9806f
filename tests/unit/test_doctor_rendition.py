"""The check of the second rendition."""

from dataclasses import replace

import pytest

from broadcaster.devices.self_test import SmallTestResult, VideoTestResult
from broadcaster.doctor.checks import rendition
from broadcaster.doctor.result import Level
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import VideoTraits

REFUSED = "video.second is off"


def measured(small=None, *, size=(640, 360), encoder="libx264", error=None, startup=1.0, no_small=""):
    traits = VideoTraits("camera", encoder, 1280, 720, 30.0, True, True, small_size=size, no_small=no_small)
    return VideoTestResult(traits, startup, 30.0, error, True, small)


def small(fps=30.0, full_fps=30.0, error=None):
    return SmallTestResult(fps, full_fps, error)


def test_second_rendition_in_time_is_fine_with_size_and_load():
    result = rendition.evaluate(measured(small()), 60.0)
    assert (result.what, result.level) == ("rendition", Level.OK)
    assert result.found == "640×360 by a second encoder, at 30.0 fps; libx264 is busy for 50% of the time with both"


def test_hardware_has_no_measured_load():
    result = rendition.evaluate(measured(small(29.9), encoder="hardware (/dev/video11)"), None)
    assert (result.level, result.found) == (Level.OK, "640×360 by a second encoder, at 29.9 fps")


@pytest.mark.parametrize("reason", [REFUSED, "this camera encodes itself"])
def test_missing_second_rendition_is_fine_with_the_reason(reason):
    result = rendition.evaluate(measured(size=None, no_small=reason), None)
    assert (result.level, result.found) == (Level.OK, f"none: {reason}")


@pytest.mark.parametrize(("speed", "level"), [(34.0, Level.OK), (33.0, Level.WARNING), (12.0, Level.WARNING)])
def test_software_encoder_must_have_time_for_both(speed, level):
    result = rendition.evaluate(measured(small()), speed)
    assert result.level is level
    assert ("too slow to encode both renditions" in result.found) == (level is Level.WARNING)
    assert ('second = "off"' in result.fix) == (level is Level.WARNING)


@pytest.mark.parametrize("rates", [(26.0, 30.0), (30.0, 26.0)])
def test_missing_pictures_of_either_rendition_are_a_warning(rates):
    result = rendition.evaluate(measured(small(*rates)), None)
    assert result.level is Level.WARNING
    assert f"{rates[1]:.1f} and {rates[0]:.1f} fps instead of 30.0" in result.found


def test_slow_camera_is_not_the_fault_of_the_encoders():
    dark = replace(measured(small(14.8, 15.0)), fps=15.1)
    assert rendition.evaluate(dark, None).level is Level.OK


def test_failed_or_silent_second_encoder_is_a_warning_with_its_error():
    error = SourceError(StreamReason.ENCODER, "no time for a second encoder")
    failed = rendition.evaluate(measured(small(0.0, 0.0, error)), None)
    assert (failed.level, failed.found) == (Level.WARNING, "640×360: no time for a second encoder")
    silent = rendition.evaluate(measured(small(0.0, 0.0)), None)
    assert (silent.level, "delivered no pictures" in silent.found) == (Level.WARNING, True)


@pytest.mark.parametrize(
    "result", [measured(startup=None), measured(error=SourceError(StreamReason.CAMERA_LOST, "gone"))]
)
def test_without_pictures_it_is_not_checked(result):
    assert rendition.evaluate(result, None).found == "not checked: there are no pictures to encode"
