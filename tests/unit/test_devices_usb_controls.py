import logging

import pytest

from broadcaster.devices.usb.controls import flip_in_camera, flips_of, set_controls

HFLIP, VFLIP = 0x00980914, 0x00980915


class FakeControls:
    """The controls of a camera; those in `rejected` cannot be set."""

    def __init__(self, *rejected: int, **controls: int) -> None:
        self.controls = controls
        self.values: dict[int, int] = {}
        self._rejected = rejected

    def has(self, control: int) -> bool:
        return control in self.controls.values()

    def set(self, control: int, value: int) -> bool:
        if control not in self._rejected:
            self.values[control] = value
        return control not in self._rejected


@pytest.mark.parametrize(
    ("rotation", "flip", "flips"),
    [
        (0, "none", set()),
        (180, "none", {"hflip", "vflip"}),
        (0, "horizontal", {"hflip"}),
        (180, "horizontal", {"vflip"}),
        (180, "vertical", {"hflip"}),
    ],
)
def test_rotation_and_flip_are_combined(rotation, flip, flips):
    assert flips_of(rotation, flip) == flips


def test_flips_are_set_and_reset_in_the_camera():
    camera = FakeControls(hflip=HFLIP, vflip=VFLIP)
    assert flip_in_camera(camera, frozenset({"hflip", "vflip"}))
    assert camera.values == {HFLIP: 1, VFLIP: 1}
    assert flip_in_camera(camera, frozenset({"vflip"}))
    assert camera.values == {HFLIP: 0, VFLIP: 1}
    assert flip_in_camera(camera, frozenset())
    assert camera.values == {HFLIP: 0, VFLIP: 0}


@pytest.mark.parametrize(
    "camera", [FakeControls(), FakeControls(hflip=HFLIP), FakeControls(VFLIP, hflip=HFLIP, vflip=VFLIP)]
)
def test_no_flip_is_set_if_the_camera_cannot_set_all(camera):
    assert not flip_in_camera(camera, frozenset({"hflip", "vflip"}))
    assert not any(camera.values.values())
    assert flip_in_camera(camera, frozenset())


def test_controls_are_set_in_order_and_failures_are_logged(caplog):
    camera = FakeControls(3, focus_automatic_continuous=1, focus_absolute=2, gain=3)
    with caplog.at_level(logging.WARNING):
        set_controls(
            camera,
            (("focus_automatic_continuous", False), ("focus_absolute", 30), ("gain", 9), ("zoom", 1), ("gain", "low")),
        )
    assert list(camera.values.items()) == [(1, 0), (2, 30)]
    rejected, unknown, not_a_number = caplog.messages
    assert "rejects gain = 9" in rejected
    assert "no zoom; it has: focus_absolute, focus_automatic_continuous, gain" in unknown
    assert "whole number" in not_a_number
