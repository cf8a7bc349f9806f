from dataclasses import replace
from itertools import pairwise

import pytest

from tests.soak.accounts import LEAST, Accounts
from tests.soak.faults import Faults
from tests.soak.leaks import Probe, leaks, left_behind
from tests.soak.page_like import retry_delay
from tests.soak.plan import CALM, KINDS, LONGEST, NETWORK_KINDS, SHORTEST, plan

HOUR = 3600.0
PROBE = Probe(0, 0, viewers=10, peers=10, tasks=80, timers=29, descriptors=51, threads=2, memory=97.0)


def test_a_seed_is_a_plan():
    assert plan(1, HOUR, 10) == plan(1, HOUR, 10)
    assert plan(1, HOUR, 10) != plan(2, HOUR, 10)


def test_a_longer_run_begins_like_a_short_one():
    short, long = plan(7, HOUR / 6, 10), plan(7, HOUR, 10)
    assert len(short) > 5
    assert long[: len(short)] == short


@pytest.mark.parametrize("seed", range(20))
def test_faults_come_every_20_to_60_seconds_until_shortly_before_the_end(seed):
    faults = plan(seed, HOUR, 10)
    times = [0.0, *(fault.at for fault in faults)]
    assert all(SHORTEST <= after - before <= LONGEST for before, after in pairwise(times))
    assert HOUR - CALM - 2 * LONGEST < faults[-1].at + faults[-1].lasts <= HOUR - CALM
    assert all(fault.kind.shortest <= fault.lasts <= fault.kind.longest for fault in faults)
    assert {fault.viewer for fault in faults} == set(range(10))


@pytest.mark.parametrize("seed", range(20))
def test_an_hour_has_every_kind_and_restarts_are_rare(seed):
    names = [fault.kind.name for fault in plan(seed, HOUR, 10, KINDS + NETWORK_KINDS)]
    assert set(names) == {kind.name for kind in KINDS + NETWORK_KINDS}
    assert 1 <= names.count("kill -9, restarted") < names.count("WebSocket cut")


def test_every_kind_has_its_way():
    assert set(Faults(None, None)._ways) == {kind.name for kind in KINDS + NETWORK_KINDS}


def test_a_second_with_half_of_its_pictures_is_live_and_one_with_fewer_is_missed():
    accounts = Accounts()
    for second in (100, 101, 103):
        accounts.seen(0, second, LEAST)
    accounts.seen(0, 102, LEAST - 1)
    tally = accounts.tally(1, 100, 105)
    assert tally.live == 3
    assert tally.missed == [(0, 102), (0, 104)]
    assert tally.share == 0.6


def test_a_second_that_two_viewers_in_one_place_share_is_added_up():
    accounts = Accounts()
    accounts.seen(0, 100, LEAST - 5)
    accounts.seen(0, 100, 5)
    assert accounts.tally(1, 100, 101).live == 1


def test_a_fault_excuses_whom_it_concerns_and_only_as_long_as_it_may():
    accounts = Accounts()
    accounts.excuse("frozen", 1, 10.9, 13.1)
    accounts.excuse("restart", None, 20.0, 22.0)
    tally = accounts.tally(2, 10, 24)
    assert tally.excused == 4 + 2 * 2
    assert (1, 14) in tally.missed
    assert (0, 10) in tally.missed
    assert (1, 10) not in tally.missed


def test_live_seconds_in_a_window_do_not_make_up_for_missed_ones():
    accounts = Accounts()
    accounts.excuse("frozen", 0, 0, 5)
    for second in range(5):
        accounts.seen(0, second, 30)
    assert accounts.tally(1, 0, 6).share == 0


def test_who_was_not_let_run_is_neither_live_nor_missed():
    accounts = Accounts()
    accounts.unscheduled(0, 10.8, 11.5)
    accounts.unscheduled(None, 13.2, 13.9)
    tally = accounts.tally(2, 10, 14)
    assert tally.unscheduled == 2 + 2
    assert tally.missed == [(0, 12), (1, 10), (1, 11), (1, 12)]


def test_nothing_counted_is_not_good():
    assert Accounts().tally(0, 0, 0).share == 0


def test_the_longest_silence_of_a_window_is_that_of_the_unluckiest():
    accounts = Accounts()
    accounts.excuse("restart", None, 10, 16)
    for viewer, seconds in enumerate([(10, 14, 15), (10, 11, 15)]):
        for second in seconds:
            accounts.seen(viewer, second, 30)
    assert accounts.longest_silence(accounts.windows[0], 2) == 3


def test_what_stays_the_same_does_not_leak():
    assert leaks([replace(PROBE, at=60.0 * minute) for minute in range(60)], 10) == []


@pytest.mark.parametrize("name", ["tasks", "timers", "descriptors", "threads"])
def test_what_grows_leaks(name):
    grown = [replace(PROBE, at=60.0 * minute, **{name: getattr(PROBE, name) + minute}) for minute in range(10)]
    assert [name in words for words in leaks(grown, 10)] == [True]


def test_another_life_of_the_process_begins_anew():
    lives = [replace(PROBE, life=life, tasks=80 + 10 * life) for life in (0, 0, 1, 1)]
    assert leaks(lives, 10) == []


def test_a_session_too_many_is_a_leak_at_once():
    assert len(leaks([PROBE, replace(PROBE, viewers=11)], 10)) == 1
    assert len(leaks([PROBE, replace(PROBE, peers=9)], 10)) == 1


def test_memory_may_settle_and_must_not_climb():
    def climb(megabytes: list[float]) -> list[str]:
        return leaks([replace(PROBE, memory=memory) for memory in megabytes], 10)

    assert climb([80, 90, 100, 110, 110, 110, 111, 110, 112]) == []
    assert len(climb([100, 102, 104, 106, 108, 110, 112, 114, 116])) == 1
    assert climb([100 + minute / 8 for minute in range(45)]) == []
    assert len(climb([100 + minute / 5 for minute in range(45)])) == 1


def test_who_has_left_leaves_nothing_behind():
    idle = replace(PROBE, viewers=0, peers=0, tasks=10, descriptors=11)
    assert left_behind(idle, replace(idle, memory=200.0)) == []
    assert len(left_behind(idle, replace(idle, descriptors=20))) == 1
    assert len(left_behind(idle, replace(idle, peers=1))) == 1


def test_retries_are_those_of_the_page():
    first = [retry_delay(0, 0) for _ in range(200)]
    later = [retry_delay(9, 10) for _ in range(200)]
    at_last = [retry_delay(9, 100) for _ in range(200)]
    assert 0.3 < max(first) <= 0.5
    assert 2 < max(later) <= 3
    assert 6 < max(at_last) <= 10
