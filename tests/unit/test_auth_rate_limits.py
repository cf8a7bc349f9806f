"""Sliding windows over messages and wrong tokens."""

from collections.abc import Sequence

import pytest

from broadcaster.auth.rate_limits import SlidingWindow, TokenAttempts, TokenBucket, TokenResult, admission_limiter


def test_thirty_messages_in_ten_seconds_and_not_one_more() -> None:
    budget = SlidingWindow()
    assert all(budget.spend(index * 0.1) for index in range(30))
    assert not budget.spend(9.9)


def test_the_window_slides() -> None:
    budget = SlidingWindow()
    assert all(budget.spend(index * 0.34) for index in range(300))


def test_a_bad_one_counts_three() -> None:
    budget = SlidingWindow()
    assert all(budget.spend(0.0, 3) for _ in range(10))
    assert not budget.spend(0.0)
    assert budget.spend(40.0)


def test_a_bucket_gives_a_seconds_worth_at_once_and_its_rate_from_then_on() -> None:
    bucket = TokenBucket(1000)
    assert bucket.take(1000, 100.0)
    assert not bucket.take(1, 100.0)
    taken = sum(500 for tenth in range(100) if bucket.take(500, 100 + tenth / 10))
    assert taken == pytest.approx(9900, abs=500)
    assert bucket.take(1000, 200.0)
    assert not bucket.take(1, 200.0)


def test_a_bucket_that_refuses_keeps_what_there_is() -> None:
    bucket = TokenBucket(1000)
    assert not bucket.take(1001, 100.0)
    assert bucket.take(1000, 100.0)


def guess(attempts: TokenAttempts, places: Sequence[str], now: float) -> TokenResult:
    return attempts.check("wrong", "right", places, now)


def test_after_five_wrong_tokens_an_address_is_refused_for_a_minute_even_with_the_right_one() -> None:
    attempts = TokenAttempts()
    assert [guess(attempts, ["192.0.2.1"], at) for at in range(5)] == [TokenResult.WRONG] * 5
    assert attempts.check("right", "right", ["192.0.2.1"], 59.9) is TokenResult.RATE_LIMITED
    assert attempts.check("right", "right", ["192.0.2.2"], 5) is TokenResult.ACCEPTED
    assert attempts.check("right", "right", ["192.0.2.1"], 60.1) is TokenResult.ACCEPTED, "never for ever"


def test_without_an_expected_token_every_token_is_wrong() -> None:
    assert TokenAttempts().check("", "", ["192.0.2.1"], 0.0) is TokenResult.WRONG


def test_many_networks_of_one_site_have_twenty_attempts_together() -> None:
    attempts = TokenAttempts()
    results = [guess(attempts, (f"2001:db8:1:{number:x}::/64", "2001:db8:1::/48"), 0.0) for number in range(1000)]
    assert results.count(TokenResult.WRONG) == 20
    assert guess(attempts, ("2001:db8:2::/64", "2001:db8:2::/48"), 0.0) is TokenResult.WRONG
    assert guess(attempts, ("2001:db8:1::/64", "2001:db8:1::/48"), 60.1) is TokenResult.WRONG


def test_guesses_from_everywhere_lock_nobody_out() -> None:
    attempts = TokenAttempts()
    for number in range(1000):
        guess(attempts, [f"192.0.2.{number}"], 0.0)
    assert attempts.check("right", "right", ["203.0.113.1"], 0.0) is TokenResult.ACCEPTED


def test_addresses_do_not_pile_up() -> None:
    attempts = TokenAttempts()
    for index in range(5000):
        guess(attempts, [f"192.0.2.{index}"], 0.0)
    assert len(attempts._wrong._windows) == 4096


@pytest.mark.parametrize("viewers", [1, 20, 1000])
def test_all_viewers_of_one_place_may_come_back_together_and_a_loop_may_not(viewers: int) -> None:
    let_in = admission_limiter(viewers)
    places = ("192.0.2.1",)
    came = 0
    while not let_in.is_exhausted(places, 0.0):
        let_in.spend(places, 0.0)
        came += 1
    assert came == 4 * viewers + 16
    assert not let_in.is_exhausted(("192.0.2.2",), 0.0)
    assert not let_in.is_exhausted(places, 10.1)
