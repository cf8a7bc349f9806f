"""When to try for more: after a calm time, and later after each failure."""

from __future__ import annotations

from broadcaster.stream.attempts import LONGEST_PROBE_WAIT, LONGEST_WAIT, Attempts


def seconds_until_due(attempts: Attempts, now: float) -> int:
    began = now
    while not attempts.is_due(now):
        now += 1
    return round(now - began)


def test_attempt_is_due_after_a_calm_time():
    assert seconds_until_due(Attempts(5.0), 100.0) == 5


def test_interruption_begins_the_calm_time_again():
    attempts = Attempts(5.0)
    attempts.is_due(100.0)
    attempts.is_due(104.0)
    attempts.interrupt()
    assert seconds_until_due(attempts, 104.0) == 5


def test_failures_double_the_wait_up_to_a_limit_and_success_resets_it():
    attempts, waits = Attempts(30.0), []
    for _ in range(4):
        attempts.failed(0.0)
        waits.append(seconds_until_due(attempts, 0.0))
    assert waits == [60, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]
    attempts.succeeded()
    assert seconds_until_due(attempts, 0.0) == 30


def test_failed_probes_do_not_wait_longer_than_their_limit_nor_shorten_a_longer_wait():
    attempts = Attempts(5.0)
    for _ in range(3):
        attempts.probe_failed(0.0)
    assert seconds_until_due(attempts, 0.0) == LONGEST_PROBE_WAIT
    attempts.failed(0.0)
    attempts.probe_failed(0.0)
    assert seconds_until_due(attempts, 0.0) == 2 * LONGEST_PROBE_WAIT
