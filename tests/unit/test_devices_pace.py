import pytest

from broadcaster.devices.pace import LOG_INTERVAL, Pace, SkipCount


def test_items_are_consecutive_while_on_time():
    pace = Pace(start=10.0, period=0.5, tolerance=0.5)
    assert [pace.next(10.0 + 0.5 * index) for index in range(4)] == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert pace.due(3) == 11.5


def test_small_lateness_skips_nothing():
    pace = Pace(start=0.0, period=1.0, tolerance=1.0)
    pace.next(0.0)
    assert pace.next(1.9) == (1, 0)
    assert pace.next(2.0) == (2, 0)


@pytest.mark.parametrize(("now", "index"), [(2.1, 2), (2.9, 2), (3.0, 3), (99.5, 99)])
def test_late_caller_continues_with_the_item_due_now(now, index):
    pace = Pace(start=0.0, period=1.0, tolerance=1.0)
    pace.next(0.0)
    assert pace.next(now) == (index, index - 1)
    assert pace.next(now) == (index + 1, 0)


def test_skipped_items_are_summed_and_logged_at_most_once_per_interval():
    skips = SkipCount()
    assert skips.add(0, 0.0) == 0
    assert skips.add(3, 1.0) == 3
    assert skips.add(2, 2.0) == 0
    assert skips.add(1, 1.0 + LOG_INTERVAL - 0.1) == 0
    assert skips.add(0, 1.0 + LOG_INTERVAL) == 3
    assert skips.add(0, 1.0 + 3 * LOG_INTERVAL) == 0
