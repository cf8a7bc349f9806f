"""The switch between two renditions: no picture missing, none twice, whichever encoder is faster."""

from __future__ import annotations

import pytest

from broadcaster.delivery.rendition_switch import LONGEST_APART, RenditionSwitch
from broadcaster.media.rtp import RtpFrame, RtpStream
from broadcaster.media.timestamps import VIDEO_RATE
from broadcaster.model.stream import Quality

FULL, SMALL = Quality.FULL, Quality.SMALL
VIDEO = RtpStream(1, "0")
NAMES = {FULL: "F", SMALL: "s"}


class SwitchDriver:
    """Passes pictures of both renditions to a switch, and records what it selects: `F3` is the full picture 3."""

    def __init__(self, first: int = 0) -> None:
        self.switch = RenditionSwitch()
        self.selected: list[str] = []
        self._first = first
        self._names: dict[int, str] = {}

    def add(self, number: int, quality: Quality, *, key: bool = False) -> None:
        frame = RtpFrame(VIDEO, [b""], self._first + number & 0xFFFFFFFF, 0.0, key)
        self._names[id(frame)] = f"{NAMES[quality]}{number}"
        self._keep = getattr(self, "_keep", [])
        self._keep.append(frame)
        self.selected += [self._names[id(selected)] for selected in self.switch.select(frame, quality)]

    def add_pairs(self, numbers: range, order: tuple[Quality, Quality], *, key: int = -1) -> None:
        """Add both renditions of pictures; `key` is the number of the target's keyframe."""
        for number in numbers:
            for quality in order:
                self.add(number, quality, key=number == key and quality is self.switch.target)


@pytest.mark.parametrize("order", [(FULL, SMALL), (SMALL, FULL)])
@pytest.mark.parametrize("target", [FULL, SMALL])
def test_switch_has_no_gap_and_no_duplicate(order, target):
    driver = SwitchDriver()
    driver.switch.jump(SMALL if target is FULL else FULL)
    driver.add_pairs(range(3), order)
    driver.switch.target = target
    driver.add_pairs(range(3, 8), order, key=5)
    assert driver.switch.current is target
    assert [name[1:] for name in driver.selected] == [str(number) for number in range(8)]
    assert [name[0] for name in driver.selected] == [NAMES[SMALL if target is FULL else FULL]] * 5 + [NAMES[target]] * 3


def test_other_rendition_is_not_selected_without_a_switch():
    driver = SwitchDriver()
    driver.add_pairs(range(3), (FULL, SMALL))
    assert driver.selected == ["F0", "F1", "F2"]


def test_switch_waits_for_a_keyframe_of_the_target_and_the_viewer_misses_nothing():
    driver = SwitchDriver()
    driver.switch.target = SMALL
    driver.add_pairs(range(4), (FULL, SMALL))
    assert driver.switch.is_pending
    assert driver.selected == ["F0", "F1", "F2", "F3"]


def test_target_that_does_not_deliver_delays_the_current_rendition_by_one_picture():
    driver = SwitchDriver()
    driver.switch.target = SMALL
    for number in range(4):
        driver.add(number, FULL)
    assert driver.selected == ["F0", "F1", "F2"]


def test_keyframe_of_a_picture_that_was_sent_already_is_not_used():
    driver = SwitchDriver()
    driver.switch.target = SMALL
    for number in range(3):
        driver.add(number, FULL)  # 0 and 1 are sent, 2 is held
    driver.add(1, SMALL, key=True)
    assert driver.switch.is_pending
    driver.add(2, SMALL, key=True)
    assert driver.selected == ["F0", "F1", "s2"]


def test_switch_back_before_the_first_one_is_complete_releases_the_held_picture():
    driver = SwitchDriver()
    driver.switch.target = SMALL
    driver.add(0, FULL)
    driver.switch.target = FULL
    driver.add(1, FULL)
    assert driver.selected == ["F0", "F1"]


def test_jump_drops_the_held_picture_and_goes_on_with_newer_ones_only():
    driver = SwitchDriver()
    driver.add(0, FULL)
    driver.add(1, FULL)
    driver.switch.jump(SMALL)
    driver.add(1, SMALL, key=True)
    driver.add(2, SMALL)
    assert driver.selected == ["F0", "F1", "s2"]


def test_timestamps_wrap():
    driver = SwitchDriver(first=0xFFFFFFFF - 1)
    driver.add_pairs(range(2), (FULL, SMALL))
    driver.switch.target = SMALL
    driver.add_pairs(range(2, 5), (FULL, SMALL), key=3)
    assert driver.selected == ["F0", "F1", "F2", "s3", "s4"]


@pytest.mark.parametrize("seconds", [LONGEST_APART + 1, 5, 3600])
def test_clock_of_the_source_that_is_set_back_costs_no_picture(seconds):
    driver, later = SwitchDriver(), round(seconds * VIDEO_RATE)
    driver.add_pairs(range(later, later + 3), (FULL, SMALL))
    driver.add_pairs(range(3), (FULL, SMALL))
    driver.switch.target = SMALL
    driver.add_pairs(range(3, 6), (FULL, SMALL), key=4)
    assert driver.selected == [*(f"F{later + number}" for number in range(3)), "F0", "F1", "F2", "F3", "s4", "s5"]
