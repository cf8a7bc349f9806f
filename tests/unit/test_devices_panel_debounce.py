"""Bouncing contacts: every press counts, and counts once."""

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
    """What a button makes of `edges`, each heard, and each look done, at `busy(its time)`: then the loop has time."""
    button = Button(pressed)
    times = [at for _, at in edges]
    presses, waiting, now = [], list(edges), 0.0
    while waiting or button.due is not None:
        heard = busy(waiting[0][1]) if waiting else float("inf")
        look = busy(max(button.due, now)) if button.due is not None else float("inf")
        if heard <= look:
            now = max(now, heard)
            press = button.edge(*waiting.pop(0))
        else:
            now = max(now, look)
            index = bisect_right(times, now)
            press = button.poll(edges[index - 1][0] if index else pressed, now)
        presses += [press] if press else []
    return presses


def bounce(level: bool, at: float, offsets: Sequence[float] = ()) -> list[Edge]:
    """A contact that goes to `level`, and away and back again once for each two of `offsets` (seconds, rising)."""
    return [(level, at), *((level is (index % 2 == 1), at + offset) for index, offset in enumerate(offsets))]


def press(at: float, seconds: float, offsets: Sequence[float] = ()) -> list[Edge]:
    """Down at `at`, up after `seconds`, bouncing both times."""
    return [*bounce(True, at, offsets), *bounce(False, at + seconds, offsets)]


@pytest.mark.parametrize(
    "offsets",
    [[], [0.001, 0.002], [0.0001, 0.0002, 0.004, 0.0041], [0.002, 0.010], [0.024, 0.0241], [0.01, 0.02, 0.03, 0.04]],
)
def test_a_press_counts_once_whatever_its_contact_does(offsets):
    assert play(press(1.0, 0.12, offsets)) == [S]


def test_noise_is_no_press():
    assert play(bounce(True, 1.0, [0.001, 0.002, 0.003])) == []
    assert play([(True, 1.0), (False, 1.0 + STABLE - 0.001)]) == []


def test_a_press_counts_on_release():
    button = Button(False)
    assert button.edge(True, 1.0) is None
    assert button.poll(True, 1.0 + STABLE) is None
    assert button.due == pytest.approx(1.0 + HOLD)
    assert button.edge(False, 1.3) is None
    assert button.due == pytest.approx(1.3 + STABLE)
    assert button.poll(False, 1.3 + STABLE) is S
    assert button.due is None


def test_a_long_press_counts_while_it_is_held_and_its_release_means_nothing():
    button = Button(False)
    button.edge(True, 1.0)
    button.poll(True, 1.0 + STABLE)
    assert button.poll(True, 1.0 + HOLD - 0.001) is None
    assert button.poll(True, 1.0 + HOLD) is L
    assert button.due is None
    assert play([(True, 1.0), (False, 7.0)]) == [L]


def test_a_contact_that_rattles_while_held_is_still_held():
    edges = [(True, 1.0), (False, 2.0), (True, 2.01), (False, 3.995), (True, 3.999), (False, 5.0)]
    assert play(edges) == [L]


def test_a_button_held_at_start_means_nothing_until_it_is_let_go():
    assert play([(False, 5.0)], pressed=True) == []
    assert play([(False, 5.0), (True, 6.0), (False, 6.2)], pressed=True) == [S]


def test_what_a_busy_loop_hears_late_is_judged_by_its_own_time():
    def busy(at: float) -> float:
        return 2.0 if 1.0 < at < 2.0 else at

    assert play(press(1.1, 0.1) + press(1.4, 0.1), busy=busy) == [S, S]
    assert play([(True, 1.1), (False, 1.11)], busy=busy) == []


def test_a_press_longer_than_the_loop_was_busy_is_judged_by_its_length():
    assert play(press(1.1, 3.2), busy=lambda at: 5.0 if 1.0 < at < 5.0 else at) == [L]


def test_an_edge_on_its_way_is_waited_for():
    debouncer = Debouncer(False)
    debouncer.edge(True, 1.0)
    assert debouncer.poll(False, 1.3) is None
    assert debouncer.edge(False, 1.29) == Settled(True, 1.0)
    assert debouncer.poll(False, 1.29 + STABLE) == Settled(False, 1.29)


def test_a_missed_release_is_found_and_makes_no_long_press():
    button = Button(False)
    button.edge(True, 1.0)
    button.poll(True, 1.0 + STABLE)
    assert button.poll(False, 1.0 + HOLD) is None
    assert button.poll(False, 1.0 + HOLD + STABLE) is S
    assert button.due is None


def test_a_missed_press_is_found_at_the_next_edge():
    button = Button(False)
    button.edge(False, 1.0)
    assert button.poll(True, 1.0 + STABLE) is None
    assert button.poll(True, 1.0 + 2 * STABLE) is None
    assert button.edge(False, 1.5) is None
    assert button.poll(False, 1.5 + STABLE) is S


def test_a_thousand_presses_with_bounce_are_a_thousand():
    dice = random.Random(1)
    edges: list[Edge] = []
    at = 0.0
    for _ in range(1000):
        seconds = dice.uniform(0.05, 0.5)
        edges += press(at, seconds, sorted(dice.uniform(0, 0.02) for _ in range(2 * dice.randrange(8))))
        at += seconds + dice.uniform(0.05, 0.5)
    assert len(edges) > 5000
    assert play(edges) == [S] * 1000


OFFSETS = st.lists(st.floats(0.0001, 0.02), max_size=12).map(lambda found: sorted(found[: len(found) // 2 * 2]))
LENGTHS = st.one_of(st.floats(0.05, HOLD - 0.1), st.floats(HOLD + 0.1, 10.0))
PRESSES = st.lists(st.tuples(LENGTHS, OFFSETS, OFFSETS, st.floats(0.05, 5.0)), max_size=12)
STALLS = st.lists(st.tuples(st.floats(0, 60), st.floats(0, 1.0)), max_size=5)


@given(PRESSES, STALLS)
def test_any_presses_with_any_bounce_and_any_stalls_of_the_loop_are_counted_once_each(presses, stalls):
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
