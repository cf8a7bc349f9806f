"""The soak test: its plan of faults, its availability counts, and its leak detection."""

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.soak.availability import MIN_FRAMES, Availability
from tests.soak.faults import FaultInjector
from tests.soak.leaks import Sample, leaks, left_behind
from tests.soak.page_like import retry_delay
from tests.soak.plan import (
    DELAYS,
    KINDS,
    KINDS_BESIDE_BAD_LINKS,
    LOSSES,
    MAX_INTERVAL,
    MAX_STATE,
    MIN_INTERVAL,
    MIN_STATE,
    NETWORK_KINDS,
    OUTPUT_KINDS,
    QUIET_END,
    RATES,
    link_states,
    plan,
)
from tests.soak.run import Options, _plan

HOUR = 3600.0
SAMPLE = Sample(0, 0, viewers=10, peers=10, tasks=80, timers=29, descriptors=51, threads=2, memory=97.0)


def test_seed_determines_the_plan():
    assert plan(1, HOUR, 10) == plan(1, HOUR, 10)
    assert plan(1, HOUR, 10) != plan(2, HOUR, 10)


def test_longer_run_starts_like_a_short_one():
    short, long = plan(7, HOUR / 6, 10), plan(7, HOUR, 10)
    assert len(short) > 5
    assert long[: len(short)] == short


@pytest.mark.parametrize("seed", range(20))
def test_faults_occur_every_20_to_60_seconds_until_shortly_before_the_end(seed):
    faults = plan(seed, HOUR, 10)
    times = [0.0, *(fault.at for fault in faults)]
    assert all(MIN_INTERVAL <= after - before <= MAX_INTERVAL for before, after in pairwise(times))
    assert HOUR - QUIET_END - 2 * MAX_INTERVAL < faults[-1].at + faults[-1].lasts <= HOUR - QUIET_END
    assert all(fault.kind.shortest <= fault.lasts <= fault.kind.longest for fault in faults)
    assert {fault.viewer for fault in faults} == set(range(10))


@pytest.mark.parametrize("seed", range(20))
def test_an_hour_contains_every_kind_of_fault_and_restarts_are_rare(seed):
    kinds = KINDS + NETWORK_KINDS + OUTPUT_KINDS
    names = [fault.kind.name for fault in plan(seed, HOUR, 10, kinds)]
    assert set(names) == {kind.name for kind in kinds}
    assert 1 <= names.count("kill -9, restarted") < names.count("WebSocket cut")


def test_bad_links_change_within_limits_by_seed_and_viewer():
    states = link_states(1, 0, HOUR)
    assert link_states(1, 0, HOUR) == states
    assert link_states(1, 0, HOUR / 6) == states[: len(link_states(1, 0, HOUR / 6))]
    assert states not in (link_states(1, 1, HOUR), link_states(2, 0, HOUR))
    assert states[0][0] == 0
    assert all(MIN_STATE <= later - at <= MAX_STATE for (at, _), (later, _) in pairwise(states))
    for _, link in states:
        assert RATES[0] <= link.rate <= RATES[1]
        assert LOSSES[0] <= link.loss <= LOSSES[1]
        assert DELAYS[0] <= link.delay <= DELAYS[1]


def test_camera_and_microphone_do_not_fail_beside_bad_links():
    names = {kind.name for kind in KINDS_BESIDE_BAD_LINKS}
    assert "kill -9, restarted" in names
    assert not any("camera" in name or "microphone" in name for name in names)


def test_every_kind_of_fault_has_a_handler():
    kinds = KINDS + NETWORK_KINDS + OUTPUT_KINDS
    assert set(FaultInjector(None, None)._handlers) == {kind.name for kind in kinds}


def test_faults_of_an_output_affect_it_and_other_versions_of_the_daemon_have_none():
    options = Options(1, 60, 10)
    assert {fault.viewer for fault in _plan(options, has_network=True) if fault.kind.output == "/media"} == {10}
    assert {fault.viewer for fault in _plan(options, has_network=True) if fault.kind.output == "push"} == {12}
    for others in (Options(1, 60, 10, bad_links=True), Options(1, 60, 10, tree="before")):
        assert others.groups == {"viewers": list(range(10))}
        assert not any(fault.kind.output for fault in _plan(others, has_network=True))


def test_second_with_half_of_its_frames_is_live_and_with_fewer_is_missed():
    availability = Availability()
    for second in (100, 101, 103):
        availability.add_frames(0, second, MIN_FRAMES)
    availability.add_frames(0, 102, MIN_FRAMES - 1)
    tally = availability.tally(range(1), 100, 105)
    assert tally.live == 3
    assert tally.missed == [(0, 102), (0, 104)]
    assert tally.live_fraction == 0.6


def test_frames_of_two_viewers_in_one_slot_are_added():
    availability = Availability()
    availability.add_frames(0, 100, MIN_FRAMES - 5)
    availability.add_frames(0, 100, 5)
    assert availability.tally(range(1), 100, 101).live == 1


def test_fault_excuses_affected_viewers_within_its_window():
    availability = Availability()
    availability.excuse("frozen", 1, 10.9, 13.1)
    availability.excuse("restart", None, 20.0, 22.0)
    tally = availability.tally(range(2), 10, 24)
    assert tally.excused == 4 + 2 * 2
    assert (1, 14) in tally.missed
    assert (0, 10) in tally.missed
    assert (1, 10) not in tally.missed


def test_live_seconds_in_a_window_do_not_compensate_for_missed_ones():
    availability = Availability()
    availability.excuse("frozen", 0, 0, 5)
    for second in range(5):
        availability.add_frames(0, second, 30)
    assert availability.tally(range(1), 0, 6).live_fraction == 0


def test_unscheduled_seconds_are_neither_live_nor_missed():
    availability = Availability()
    availability.add_unscheduled(0, 10.8, 11.5)
    availability.add_unscheduled(None, 13.2, 13.9)
    tally = availability.tally(range(2), 10, 14)
    assert tally.unscheduled == 2 + 2
    assert tally.missed == [(0, 12), (1, 10), (1, 11), (1, 12)]


def test_frame_fraction_counts_live_and_missed_seconds_only():
    availability = Availability()
    for second, frames in enumerate([30, 15, 0, 30]):
        availability.add_frames(1, second, frames)
    availability.excuse("frozen", 1, 3, 4)
    assert availability.tally([1], 0, 4).frame_fraction == 45 / 90
    assert availability.tally([], 0, 4).frame_fraction == 0


def test_live_fraction_without_seconds_is_zero():
    assert Availability().tally(range(0), 0, 0).live_fraction == 0


def test_longest_silence_is_that_of_the_most_affected_viewer():
    availability = Availability()
    availability.excuse("restart", None, 10, 16)
    for viewer, seconds in enumerate([(10, 14, 15), (10, 11, 15)]):
        for second in seconds:
            availability.add_frames(viewer, second, 30)
    assert availability.longest_silence(availability.windows[0], 2) == 3


def test_constant_resources_are_no_leak():
    assert leaks([replace(SAMPLE, at=60.0 * minute) for minute in range(60)], 10, 10) == []


@pytest.mark.parametrize("name", ["tasks", "timers", "descriptors", "threads"])
def test_growing_resource_is_a_leak(name):
    growing = [replace(SAMPLE, at=60.0 * minute, **{name: getattr(SAMPLE, name) + minute}) for minute in range(10)]
    assert [name in text for text in leaks(growing, 10, 10)] == [True]


def test_resources_are_compared_within_one_process():
    instances = [replace(SAMPLE, instance=instance, tasks=80 + 10 * instance) for instance in (0, 0, 1, 1)]
    assert leaks(instances, 10, 10) == []


def test_additional_session_is_a_leak_at_once():
    assert len(leaks([SAMPLE, replace(SAMPLE, viewers=11)], 10, 10)) == 1
    assert len(leaks([SAMPLE, replace(SAMPLE, peers=9)], 10, 10)) == 1


def test_memory_may_settle_but_must_not_keep_growing():
    def memory_leaks(megabytes: list[float]) -> list[str]:
        return leaks([replace(SAMPLE, memory=memory) for memory in megabytes], 10, 10)

    assert memory_leaks([80, 90, 100, 110, 110, 110, 111, 110, 112]) == []
    assert len(memory_leaks([100, 102, 104, 106, 108, 110, 112, 114, 116])) == 1
    assert memory_leaks([100 + minute / 8 for minute in range(45)]) == []
    assert len(memory_leaks([100 + minute / 5 for minute in range(45)])) == 1


def test_nothing_may_be_left_behind_after_all_viewers_have_left():
    idle = replace(SAMPLE, viewers=0, peers=0, tasks=10, descriptors=11)
    assert left_behind(idle, replace(idle, memory=200.0)) == []
    assert len(left_behind(idle, replace(idle, descriptors=20))) == 1
    assert len(left_behind(idle, replace(idle, peers=1))) == 1


def test_retry_delays_match_those_of_the_page():
    first = [retry_delay(0, 0) for _ in range(200)]
    later = [retry_delay(9, 10) for _ in range(200)]
    at_last = [retry_delay(9, 100) for _ in range(200)]
    assert 0.3 < max(first) <= 0.5
    assert 2 < max(later) <= 3
    assert 6 < max(at_last) <= 10
