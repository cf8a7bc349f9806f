"""Validation of `video.controls` against the controls that a camera offers."""

import pytest

from broadcaster.devices.picamera.controls import validated
from broadcaster.errors import SourceError

OFFERED = {
    "ExposureTime": (14, 66_666, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "ColourGains": (0.0, 32.0, 0.0),
    "AwbEnable": (False, True, True),
    "AwbMode": (0, 7, 0),
    "ScalerCrop": ((0, 0, 64, 64), (0, 0, 4608, 2592), (576, 0, 3456, 2592)),
    "AfMode": (0, 2, 0),
    "Unbounded": (0, -1, None),
}
ENUMS = {"AwbMode": {"Auto": 0, "Daylight": 5}}


def enum_values(name: str) -> dict[str, int]:
    return ENUMS.get(name, {})


@pytest.mark.parametrize(
    ("name", "value", "passed"),
    [
        ("ExposureTime", 10_000, 10_000),
        ("AnalogueGain", 2, 2),
        ("ColourGains", (1.5, 2), (1.5, 2)),
        ("AwbEnable", False, False),
        ("AwbMode", "Daylight", 5),
        ("ScalerCrop", (0, 0, 640, 360), (0, 0, 640, 360)),
        ("Unbounded", 7, 7),
    ],
)
def test_valid_controls_are_passed_on(name, value, passed):
    assert validated(((name, value),), OFFERED, enum_values)[name] == passed


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("exposuretime", 1, "this camera has no such control; did you mean ExposureTime?"),
        ("ExposureTime", 13, "must be a whole number from 14 to 66666"),
        ("ExposureTime", 100.5, "must be a whole number from 14 to 66666"),
        ("ExposureTime", True, "must be a whole number from 14 to 66666"),
        ("AnalogueGain", 17, "must be a number from 1 to 16"),
        ("AnalogueGain", float("nan"), "must be a number from 1 to 16"),
        ("ColourGains", (1.0, 33.0), "must be a number from 0 to 32"),
        ("AwbEnable", 1, "must be true or false"),
        ("AwbMode", "Sunny", "must be one of Auto, Daylight"),
        ("ExposureTime", "long", "must be a number, or a list of them"),
        ("ScalerCrop", (0, 0, 640), "must be a list of 4 numbers"),
        ("ScalerCrop", 640, "must be a list of 4 numbers"),
    ],
)
def test_invalid_controls_are_reported(name, value, problem):
    with pytest.raises(SourceError) as caught:
        validated(((name, value),), OFFERED, enum_values)
    assert caught.value.detail == f"video.controls.{name} = {value!r}: {problem}"


def test_autofocus_is_enabled_unless_the_focus_is_set():
    assert validated((), OFFERED, enum_values) == {"AfMode": 2}
    assert validated((("AfMode", 0),), OFFERED, enum_values) == {"AfMode": 0}
    assert validated((), {"ExposureTime": (1, 2, 1)}, enum_values) == {}
    offered = OFFERED | {"LensPosition": (0.0, 32.0, 1.0)}
    assert validated((("LensPosition", 2.0),), offered, enum_values) == {"LensPosition": 2.0}
