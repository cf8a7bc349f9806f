"""Debouncing and recognition of presses: each press is reported exactly once."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.panel.button import HOLD, Button, Press
from broadcaster.devices.panel.debounce import STABLE, Debouncer, Settled

Edge = tuple[bool, float]
S, L = Press.SHORT, Press.LONG


def play(
    edges: Sequence[Edge], *, pressed: bool = False, busy: Callable[[float], float] = lambda at: at
) -> list[Press]:
    """Return the presses for `edges`; what is due at a time is processed at `busy(time)`, when the loop is free."""
    button = Button(pressed)
    times = [at for _, at in edges]
    presses, pending, now = [], list(edges), 0.0
    while pending or button.due is not None:
        edge_at = busy(pending[0][1]) if pending else float("inf")
        poll_at = busy(max(button.due, now)) if button.due is not None else float("inf")
        if edge_at <= poll_at:
            now = max(now, edge_at)
            press = button.edge(*pending.pop(0))
        else:
            now = max(now, poll_at)
            index = bisect_right(times, now)
            press = button.poll(edges[index - 1][0] if index else pressed, now)
        presses += [press] if press else []
    return presses


def bounce(level: bool, at: float, offsets: Sequence[float] = ()) -> list[Edge]:
    """Return the edges of a contact that changes to `level` and bounces once per pair of `offsets` (in seconds)."""
    return [(level, at), *((level is (index % 2 == 1), at + offset) for index, offset in enumerate(offsets))]


def press(at: float, seconds: float, offsets: Sequence[float] = ()) -> list[Edge]:
    """Return the edges of a press at `at` for `seconds`, bouncing at both ends."""
    return [*bounce(True, at, offsets), *bounce(False, at + seconds, offsets)]


@pytest.mark.parametrize(
    "offsets",
    [[], [0.001, 0.002], [0.0001, 0.0002, 0.004, 0.0041], [0.002, 0.010], [0.024, 0.0241], [0.01, 0.02, 0.03, 0.04]],
)
def test_bouncing_press_is_reported_once(offsets):
    assert play(press(1.0, 0.12, offsets)) == [S]


def test_noise_is_not_a_press():
    assert play(bounce(True, 1.0, [0.001, 0.002, 0.003])) == []
    assert play([(True, 1.0), (False, 1.0 + STABLE - 0.001)]) == []


def test_short_press_is_reported_on_release():
    button = Button(False)
    assert button.edge(True, 1.0) is None
    assert button.poll(True, 1.0 + STABLE) is None
    assert button.due == pytest.approx(1.0 + HOLD)
    assert button.edge(False, 1.3) is None
    assert button.due == pytest.approx(1.3 + STABLE)
    assert button.poll(False, 1.3 + STABLE) is S
    assert button.due is None


def test_long_press_is_reported_while_held_and_its_release_ignored():
    button = Button(False)
    button.edge(True, 1.0)
    button.poll(True, 1.0 + STABLE)
    assert button.poll(True, 1.0 + HOLD - 0.001) is None
    assert button.poll(True, 1.0 + HOLD) is L
    assert button.due is None
    assert play([(True, 1.0), (False, 7.0)]) == [L]


def test_interruptions_shorter_than_the_debounce_time_keep_the_hold():
    edges = [(True, 1.0), (False, 2.0), (True, 2.01), (False, 3.995), (True, 3.999), (False, 5.0)]
    assert play(edges) == [L]


def test_button_pressed_at_start_is_ignored_until_released():
    assert play([(False, 5.0)], pressed=True) == []
    assert play([(False, 5.0), (True, 6.0), (False, 6.2)], pressed=True) == [S]


def test_late_edges_are_judged_by_their_timestamps():
    def busy(at: float) -> float:
        return 2.0 if 1.0 < at < 2.0 else at

    assert play(press(1.1, 0.1) + press(1.4, 0.1), busy=busy) == [S, S]
    assert play([(True, 1.1), (False, 1.11)], busy=busy) == []


def test_late_long_press_is_judged_by_its_duration():
    assert play(press(1.1, 3.2), busy=lambda at: 5.0 if 1.0 < at < 5.0 else at) == [L]


def test_pending_edge_is_awaited():
    debouncer = Debouncer(False)
    debouncer.edge(True, 1.0)
    assert debouncer.poll(False, 1.3) is None
    assert debouncer.edge(False, 1.29) == Settled(True, 1.0)
    assert debouncer.poll(False, 1.29 + STABLE) == Settled(False, 1.29)


def test_missed_release_is_detected_and_counts_as_short():
    button = Button(False)
    button.edge(True, 1.0)
    button.poll(True, 1.0 + STABLE)
    assert button.poll(False, 1.0 + HOLD) is None
    assert button.poll(False, 1.0 + HOLD + STABLE) is S
    assert button.due is None


def test_missed_press_is_detected_at_the_next_edge():
    button = Button(False)
    button.edge(False, 1.0)
    assert button.poll(True, 1.0 + STABLE) is None
    assert button.poll(True, 1.0 + 2 * STABLE) is None
    assert button.edge(False, 1.5) is None
    assert button.poll(False, 1.5 + STABLE) is S


def test_thousand_bouncing_presses_are_reported():
    generator = random.Random(1)
    edges: list[Edge] = []
    at = 0.0
    for _ in range(1000):
        seconds = generator.uniform(0.05, 0.5)
        edges += press(at, seconds, sorted(generator.uniform(0, 0.02) for _ in range(2 * generator.randrange(8))))
        at += seconds + generator.uniform(0.05, 0.5)
    assert len(edges) > 5000
    assert play(edges) == [S] * 1000


OFFSETS = st.lists(st.floats(0.0001, 0.02), max_size=12).map(lambda offsets: sorted(offsets[: len(offsets) // 2 * 2]))
LENGTHS = st.one_of(st.floats(0.05, HOLD - 0.1), st.floats(HOLD + 0.1, 10.0))
PRESSES = st.lists(st.tuples(LENGTHS, OFFSETS, OFFSETS, st.floats(0.05, 5.0)), max_size=12)
STALLS = st.lists(st.tuples(st.floats(0, 60), st.floats(0, 1.0)), max_size=5)


@given(PRESSES, STALLS)
def test_presses_are_reported_once_with_any_bounce_and_any_stalls(presses, stalls):
    edges: list[Edge] = []
    at = 0.0
    for seconds, down, up, pause in presses:
        edges += bounce(True, at, down) + bounce(False, at + seconds, up)
        at += seconds + pause

    def busy(moment: float) -> float:
        for begin, length in sorted(stalls):
            if begin < moment < begin + length:
                moment = begin + length
        return moment

    assert play(edges, busy=busy) == [S if seconds < HOLD else L for seconds, *_ in presses]
