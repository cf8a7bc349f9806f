import logging

import pytest

from broadcaster.devices.usb.controls import flip_in_camera, flips_of, set_controls

HFLIP, VFLIP = 0x00980914, 0x00980915


class Controls:
    """The part of a camera that is its controls; `stuck` ones refuse."""

    def __init__(self, *stuck: int, **controls: int) -> None:
        self.controls = controls
        self.values: dict[int, int] = {}
        self._stuck = stuck

    def has(self, control: int) -> bool:
        return control in self.controls.values()

    def set(self, control: int, value: int) -> bool:
        if control not in self._stuck:
            self.values[control] = value
        return control not in self._stuck


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
def test_rotation_and_flip_add_up(rotation, flip, flips):
    assert flips_of(rotation, flip) == flips


def test_a_camera_that_can_turn_its_picture_does_so_and_turns_it_back():
    camera = Controls(hflip=HFLIP, vflip=VFLIP)
    assert flip_in_camera(camera, frozenset({"hflip", "vflip"}))
    assert camera.values == {HFLIP: 1, VFLIP: 1}
    assert flip_in_camera(camera, frozenset({"vflip"}))
    assert camera.values == {HFLIP: 0, VFLIP: 1}
    assert flip_in_camera(camera, frozenset())
    assert camera.values == {HFLIP: 0, VFLIP: 0}


@pytest.mark.parametrize("camera", [Controls(), Controls(hflip=HFLIP), Controls(VFLIP, hflip=HFLIP, vflip=VFLIP)])
def test_one_that_cannot_is_left_as_it_is_not_half_turned(camera):
    assert not flip_in_camera(camera, frozenset({"hflip", "vflip"}))
    assert not any(camera.values.values())
    assert flip_in_camera(camera, frozenset())


def test_controls_are_set_in_their_order_and_what_cannot_be_is_said(caplog):
    camera = Controls(3, focus_automatic_continuous=1, focus_absolute=2, gain=3)
    with caplog.at_level(logging.WARNING):
        set_controls(
            camera,
            (("focus_automatic_continuous", False), ("focus_absolute", 30), ("gain", 9), ("zoom", 1), ("gain", "low")),
        )
    assert list(camera.values.items()) == [(1, 0), (2, 30)]
    refused, unknown, text = caplog.messages
    assert "rejects gain = 9" in refused
    assert "no zoom; it has: focus_absolute, focus_automatic_continuous, gain" in unknown
    assert "whole number" in text
