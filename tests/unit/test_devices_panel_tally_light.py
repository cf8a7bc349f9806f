"""Blink patterns of the tally light and their timing."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.panel.patterns import ACKNOWLEDGED, ACKNOWLEDGING, Pattern, pattern
from broadcaster.devices.panel.tally_light import TallyLight
from broadcaster.model.stream import StreamState
from tests.rigs.timetravel import TravelClock, travel

PATTERNS = {
    "offline": pattern(StreamState.OFFLINE, muted=False),
    "starting": pattern(StreamState.STARTING, muted=False),
    "live": pattern(StreamState.LIVE, muted=False),
    "stopping": pattern(StreamState.STOPPING, muted=False),
    "failed": pattern(StreamState.FAILED, muted=False),
    "muted": pattern(StreamState.LIVE, muted=True),
}


def lit_fraction(shown: Pattern, seconds: float = 8.0) -> float:
    steps = 8000
    return sum(shown.at(index * seconds / steps)[0] for index in range(steps)) / steps


def changes(shown: Pattern, seconds: float = 8.0) -> int:
    """Return how often the light turns on within `seconds`."""
    now, count, was_lit = 0.0, 0, False
    while now < seconds:
        lit, remaining = shown.at(now)
        count += lit and not was_lit
        was_lit, now = lit, now + remaining
    return count


def test_each_state_has_a_distinct_pattern():
    assert {state.value for state in StreamState} == PATTERNS.keys() - {"muted"}
    assert len(set(PATTERNS.values())) == len(PATTERNS)


@pytest.mark.parametrize(
    ("name", "fraction", "flashes"),
    [("offline", 0.05, 4), ("starting", 0.5, 8), ("live", 1.0, 1), ("stopping", 0.5, 8), ("failed", 0.5, 32),
     ("muted", 0.95, 4)],
)  # fmt: skip
def test_patterns_differ_in_rhythm_and_brightness(name, fraction, flashes):
    assert lit_fraction(PATTERNS[name]) == pytest.approx(fraction, abs=0.002)
    assert changes(PATTERNS[name]) == flashes


@pytest.mark.parametrize("name", ["offline", "stopping", "failed", "muted"])
def test_light_is_off_at_once_when_not_live(name):
    lit, remaining = PATTERNS[name].at(0.0)
    assert not lit
    assert remaining >= 0.1


def test_light_is_on_permanently_when_live():
    assert PATTERNS["live"].at(0.0) == (True, math.inf)
    assert PATTERNS["live"].at(1e9) == (True, math.inf)


def test_mute_changes_the_pattern_only_when_live():
    for state in StreamState:
        same = pattern(state, muted=True) is pattern(state, muted=False)
        assert same is (state is not StreamState.LIVE)


@given(st.sampled_from(sorted(PATTERNS)), st.floats(0, 1e7))
def test_remaining_time_is_positive(name, elapsed):
    _, remaining = PATTERNS[name].at(elapsed)
    assert elapsed + remaining > elapsed


class TallyLightDriver:
    """A tally light that records when its LED was switched."""

    def __init__(self, clock: TravelClock) -> None:
        self.clock, self.began = clock, clock.now
        self.switched: list[tuple[float, bool]] = []
        self.light = TallyLight(lambda lit: self.switched.append((round(clock.now - self.began, 3), lit)), clock)


def test_light_follows_its_pattern():
    async def scenario(clock: TravelClock) -> None:
        driver = TallyLightDriver(clock)
        driver.light.show(PATTERNS["offline"])
        await asyncio.sleep(4.5)
        assert driver.switched == [(1.9, True), (2.0, False), (3.9, True), (4.0, False)]
        driver.light.show(PATTERNS["live"])
        await asyncio.sleep(10)
        assert driver.switched[4:] == [(4.5, True)]
        driver.light.show(PATTERNS["failed"])
        assert driver.switched[5:] == [(14.5, False)]
        driver.light.close()
        await asyncio.sleep(10)
        assert len(driver.switched) == 6

    travel(scenario)


def test_same_pattern_continues_without_restart():
    async def scenario(clock: TravelClock) -> None:
        driver = TallyLightDriver(clock)
        for _ in range(39):
            driver.light.show(PATTERNS["offline"])
            await asyncio.sleep(0.1)
        assert driver.switched == [(1.9, True), (2.0, False), (3.9, True)]

    travel(scenario)


@pytest.mark.parametrize("name", ["offline", "live"])
def test_acknowledgement_flickers_and_then_resumes_the_pattern(name):
    async def scenario(clock: TravelClock) -> None:
        driver = TallyLightDriver(clock)
        driver.light.show(PATTERNS[name])
        await asyncio.sleep(1.0)
        before = len(driver.switched)
        driver.light.acknowledge()
        await asyncio.sleep(ACKNOWLEDGING)
        assert len(driver.switched) - before >= ACKNOWLEDGING / sum(ACKNOWLEDGED.spans) * 2 - 1
        await asyncio.sleep(0.2)
        assert driver.switched[-1][1] is (name == "live")

    travel(scenario)


def test_light_is_off_after_close():
    async def scenario(clock: TravelClock) -> None:
        driver = TallyLightDriver(clock)
        driver.light.show(PATTERNS["live"])
        driver.light.acknowledge()
        await asyncio.sleep(0.07)
        driver.light.close()
        driver.light.close()
        await asyncio.sleep(5)
        assert driver.switched[-1][1] is False

    travel(scenario)
