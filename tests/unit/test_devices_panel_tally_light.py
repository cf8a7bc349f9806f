"""What the tally lamp says, and when."""

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


def lit_share(shown: Pattern, seconds: float = 8.0) -> float:
    steps = 8000
    return sum(shown.at(index * seconds / steps)[0] for index in range(steps)) / steps


def changes(shown: Pattern, seconds: float = 8.0) -> int:
    """How often it goes on in `seconds`."""
    now, count, before = 0.0, 0, False
    while now < seconds:
        lit, rest = shown.at(now)
        count += lit and not before
        before, now = lit, now + rest
    return count


def test_every_state_has_a_pattern_of_its_own():
    assert {state.value for state in StreamState} == PATTERNS.keys() - {"muted"}
    assert len(set(PATTERNS.values())) == len(PATTERNS)


@pytest.mark.parametrize(
    ("name", "share", "flashes"),
    [("offline", 0.05, 4), ("starting", 0.5, 8), ("live", 1.0, 1), ("stopping", 0.5, 8), ("failed", 0.5, 32),
     ("muted", 0.95, 4)],
)  # fmt: skip
def test_patterns_differ_in_rhythm_and_brightness(name, share, flashes):
    assert lit_share(PATTERNS[name]) == pytest.approx(share, abs=0.002)
    assert changes(PATTERNS[name]) == flashes


@pytest.mark.parametrize("name", ["offline", "stopping", "failed", "muted"])
def test_what_is_not_on_air_goes_dark_at_once(name):
    lit, rest = PATTERNS[name].at(0.0)
    assert not lit
    assert rest >= 0.1


def test_on_air_is_lit_at_once_and_for_good():
    assert PATTERNS["live"].at(0.0) == (True, math.inf)
    assert PATTERNS["live"].at(1e9) == (True, math.inf)


def test_the_sound_makes_no_difference_off_air():
    for state in StreamState:
        same = pattern(state, muted=True) is pattern(state, muted=False)
        assert same is (state is not StreamState.LIVE)


@given(st.sampled_from(sorted(PATTERNS)), st.floats(0, 1e7))
def test_time_always_goes_on(name, elapsed):
    _, rest = PATTERNS[name].at(elapsed)
    assert elapsed + rest > elapsed


class TallyLightRig:
    """A lamp that writes down when it was switched."""

    def __init__(self, clock: TravelClock) -> None:
        self.clock, self.began = clock, clock.now
        self.switched: list[tuple[float, bool]] = []
        self.lamp = TallyLight(lambda lit: self.switched.append((round(clock.now - self.began, 3), lit)), clock)


def test_it_follows_its_pattern():
    async def scenario(clock: TravelClock) -> None:
        rig = TallyLightRig(clock)
        rig.lamp.show(PATTERNS["offline"])
        await asyncio.sleep(4.5)
        assert rig.switched == [(1.9, True), (2.0, False), (3.9, True), (4.0, False)]
        rig.lamp.show(PATTERNS["live"])
        await asyncio.sleep(10)
        assert rig.switched[4:] == [(4.5, True)]
        rig.lamp.show(PATTERNS["failed"])
        assert rig.switched[5:] == [(14.5, False)]
        rig.lamp.close()
        await asyncio.sleep(10)
        assert len(rig.switched) == 6

    travel(scenario)


def test_the_same_pattern_again_goes_on_without_a_break():
    async def scenario(clock: TravelClock) -> None:
        rig = TallyLightRig(clock)
        for _ in range(39):
            rig.lamp.show(PATTERNS["offline"])
            await asyncio.sleep(0.1)
        assert rig.switched == [(1.9, True), (2.0, False), (3.9, True)]

    travel(scenario)


@pytest.mark.parametrize("name", ["offline", "live"])
def test_a_flicker_says_that_a_long_press_was_understood(name):
    async def scenario(clock: TravelClock) -> None:
        rig = TallyLightRig(clock)
        rig.lamp.show(PATTERNS[name])
        await asyncio.sleep(1.0)
        before = len(rig.switched)
        rig.lamp.acknowledge()
        await asyncio.sleep(ACKNOWLEDGING)
        assert len(rig.switched) - before >= ACKNOWLEDGING / sum(ACKNOWLEDGED.spans) * 2 - 1
        await asyncio.sleep(0.2)
        assert rig.switched[-1][1] is (name == "live")

    travel(scenario)


def test_it_is_dark_in_the_end_whatever_it_showed():
    async def scenario(clock: TravelClock) -> None:
        rig = TallyLightRig(clock)
        rig.lamp.show(PATTERNS["live"])
        rig.lamp.acknowledge()
        await asyncio.sleep(0.07)
        rig.lamp.close()
        rig.lamp.close()
        await asyncio.sleep(5)
        assert rig.switched[-1][1] is False

    travel(scenario)
