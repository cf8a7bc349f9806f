"""The keyframe cache and the keyframe gate; time is an argument."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.model.stream import AccessUnit
from broadcaster.stream.rendition import (
    MAX_CACHE_SIZE,
    SHORTEST_INTERVAL,
    SHORTEST_INTERVAL_PER_VIEWER,
    SHORTEST_PROBE_INTERVAL,
    KeyframeCache,
    KeyframeGate,
)


def test_first_request_is_served_at_once():
    gate = KeyframeGate()
    assert not gate.poll(0.0)
    gate.request("a")
    assert gate.poll(0.0)


def test_requests_within_the_interval_are_merged():
    gate = KeyframeGate()
    gate.request("a")
    assert gate.poll(10.0)
    gate.keyframe_published()
    gate.request("b")
    gate.request("c")
    assert not gate.poll(10.4)
    assert gate.next_deadline() == 10.5
    assert gate.poll(10.5)
    gate.keyframe_published()
    assert not gate.poll(99.0)
    assert gate.forced == 2


def test_requests_of_one_viewer_are_limited():
    gate = KeyframeGate()
    gate.request("a")
    assert gate.poll(0.0)
    gate.keyframe_published()
    gate.request("a")
    assert not gate.poll(1.9)
    assert gate.poll(2.0)


def test_unanswered_request_is_repeated():
    gate = KeyframeGate()
    gate.request("a")
    assert gate.poll(0.0)
    assert not gate.poll(1.0)
    assert gate.poll(2.0)


def test_new_viewer_is_served_at_once_or_with_others():
    gate = KeyframeGate()
    assert gate.serves("b", 0.0)
    gate.request("a")
    assert gate.poll(0.0)
    assert gate.serves("b", 0.03)
    gate.keyframe_published()
    assert not gate.serves("b", 0.4)
    assert gate.serves("b", 0.5)
    assert not gate.serves("a", 0.5), "it was served less than two seconds ago"


def test_request_of_a_forgotten_viewer_is_dropped():
    gate = KeyframeGate()
    gate.request("a")
    gate.forget("a")
    assert gate.next_deadline() is None
    assert not gate.poll(0.0)


def test_limit_also_holds_for_a_viewer_that_reconnects():
    gate, forced = KeyframeGate(), 0
    for step in range(200):
        gate.request("a")
        forced += gate.poll(step / 10)
        gate.keyframe_published()
        gate.forget("a")
    assert forced == 10


def test_only_recently_served_viewers_are_remembered():
    gate = KeyframeGate()
    for number in range(1000):
        gate.request(str(number))
        gate.poll(number * SHORTEST_INTERVAL)
        gate.keyframe_published()
    assert len(gate._served_at) <= SHORTEST_INTERVAL_PER_VIEWER / SHORTEST_INTERVAL


ROUNDING = 1e-9
"""Upper bound on the rounding error of summed floating-point delays."""


@given(st.lists(st.tuples(st.floats(0, 0.3), st.sampled_from("abc"), st.booleans()), max_size=60))
def test_minimum_intervals_hold_for_any_sequence_of_requests(steps):
    gate, now, forced, forced_by_a = KeyframeGate(), 0.0, [], []
    for delay, viewer, keyframe in steps:
        now += delay
        gate.request(viewer)
        only_a = gate._waiting == {"a"}
        if gate.poll(now):
            forced.append(now)
            if only_a:
                forced_by_a.append(now)
        if keyframe:
            gate.keyframe_published()
    assert all(b - a >= SHORTEST_INTERVAL - ROUNDING for a, b in itertools.pairwise(forced))
    assert all(b - a >= SHORTEST_INTERVAL_PER_VIEWER - ROUNDING for a, b in itertools.pairwise(forced_by_a))


def test_probes_of_all_slow_viewers_share_a_minimum_interval():
    gate = KeyframeGate()
    gate.request_probe()
    assert gate.poll(0.0)
    gate.keyframe_published()
    gate.request_probe()
    gate.request_probe()
    assert not gate.poll(SHORTEST_PROBE_INTERVAL - 0.1)
    assert gate.poll(SHORTEST_PROBE_INTERVAL)


def test_cache_is_emptied_when_too_old_or_too_large():
    for size, after in ((MAX_CACHE_SIZE + 1, 0.1), (1, 2.5)):
        cache = KeyframeCache()
        cache.add(AccessUnit(b"key", 50.0, True), 50.0)
        assert cache.is_fresh(50.0)
        cache.add(AccessUnit(b"x" * size, 50.0 + after, False), 50.0 + after)
        assert cache.units == []
        assert not cache.is_fresh(50.0 + after)


def test_cache_holds_the_units_since_the_last_keyframe():
    cache, key, delta = KeyframeCache(), AccessUnit(b"key", 1.0, True), AccessUnit(b"delta", 1.1, False)
    for unit in (delta, key, delta, key, delta):
        cache.add(unit, unit.captured)
    assert cache.units == [key, delta]


def test_cached_keyframe_serves_new_viewers_for_longer_in_a_crowd():
    cache = KeyframeCache()
    cache.add(AccessUnit(b"x", 0.0, True), 50.0)
    assert not cache.is_fresh(50.5, viewers=20)
    assert cache.is_fresh(50.5, viewers=300)
    assert not cache.is_fresh(51.1, viewers=1000)
