"""Rate limits of messages, new sessions and wrong tokens."""

from collections.abc import Sequence

import pytest

from broadcaster.auth.rate_limits import SlidingWindow, TokenAttempts, TokenBucket, TokenResult, admission_limiter


def test_limit_is_thirty_messages_in_ten_seconds() -> None:
    budget = SlidingWindow()
    assert all(budget.spend(index * 0.1) for index in range(30))
    assert not budget.spend(9.9)


def test_window_slides() -> None:
    budget = SlidingWindow()
    assert all(budget.spend(index * 0.34) for index in range(300))


def test_cost_counts_as_several_messages() -> None:
    budget = SlidingWindow()
    assert all(budget.spend(0.0, 3) for _ in range(10))
    assert not budget.spend(0.0)
    assert budget.spend(40.0)


def test_bucket_allows_a_burst_of_one_second_and_then_its_rate() -> None:
    bucket = TokenBucket(1000)
    assert bucket.take(1000, 100.0)
    assert not bucket.take(1, 100.0)
    taken = sum(500 for tenth in range(100) if bucket.take(500, 100 + tenth / 10))
    assert taken == pytest.approx(9900, abs=500)
    assert bucket.take(1000, 200.0)
    assert not bucket.take(1, 200.0)


def test_bucket_keeps_its_level_when_it_refuses() -> None:
    bucket = TokenBucket(1000)
    assert not bucket.take(1001, 100.0)
    assert bucket.take(1000, 100.0)


def guess(attempts: TokenAttempts, networks: Sequence[str], now: float, token: str = "wrong") -> TokenResult:
    return attempts.check(token, "right", networks, now)


def test_address_is_refused_for_a_minute_after_five_wrong_tokens() -> None:
    attempts = TokenAttempts()
    assert [guess(attempts, ["192.0.2.1"], at, f"wrong{at}") for at in range(5)] == [TokenResult.WRONG] * 5
    assert attempts.check("right", "right", ["192.0.2.1"], 59.9) is TokenResult.RATE_LIMITED
    assert attempts.check("right", "right", ["192.0.2.2"], 5) is TokenResult.ACCEPTED
    assert attempts.check("right", "right", ["192.0.2.1"], 60.1) is TokenResult.ACCEPTED, "the refusal ends"


def test_wrong_token_that_comes_again_is_counted_once() -> None:
    """A player that retries its token every 2 s does not lock others at its address out, and helps no one to guess."""
    attempts, home = TokenAttempts(), ["192.0.2.1"]
    assert {guess(attempts, home, at) for at in range(0, 600, 2)} == {TokenResult.WRONG}
    assert attempts.check("right", "right", home, 600) is TokenResult.ACCEPTED
    results = [guess(attempts, home, 700, f"wrong{number}") for number in range(7)]
    assert results == [TokenResult.WRONG] * 5 + [TokenResult.RATE_LIMITED] * 2
    assert guess(attempts, home, 700) is TokenResult.RATE_LIMITED


def test_number_of_remembered_wrong_tokens_is_limited() -> None:
    attempts = TokenAttempts()
    for index in range(5000):
        guess(attempts, [f"192.0.2.{index}"], 0.0)
    assert len(attempts._known) == 4096


def test_without_an_expected_token_every_token_is_wrong() -> None:
    assert TokenAttempts().check("", "", ["192.0.2.1"], 0.0) is TokenResult.WRONG


def test_networks_of_one_site_share_twenty_attempts() -> None:
    attempts = TokenAttempts()
    results = [guess(attempts, (f"2001:db8:1:{number:x}::/64", "2001:db8:1::/48"), 0.0) for number in range(1000)]
    assert results.count(TokenResult.WRONG) == 20
    assert guess(attempts, ("2001:db8:2::/64", "2001:db8:2::/48"), 0.0) is TokenResult.WRONG
    assert guess(attempts, ("2001:db8:1::/64", "2001:db8:1::/48"), 60.1) is TokenResult.WRONG


def test_wrong_tokens_from_many_addresses_do_not_affect_others() -> None:
    attempts = TokenAttempts()
    for number in range(1000):
        guess(attempts, [f"192.0.2.{number}"], 0.0)
    assert attempts.check("right", "right", ["203.0.113.1"], 0.0) is TokenResult.ACCEPTED


def test_number_of_remembered_networks_is_limited() -> None:
    attempts = TokenAttempts()
    for index in range(5000):
        guess(attempts, [f"192.0.2.{index}"], 0.0)
    assert len(attempts._wrong._windows) == 4096


@pytest.mark.parametrize("viewers", [1, 20, 1000])
def test_all_viewers_of_one_network_may_reconnect_but_a_loop_is_limited(viewers: int) -> None:
    limiter = admission_limiter(viewers)
    networks = ("192.0.2.1",)
    admitted = 0
    while not limiter.is_exhausted(networks, 0.0):
        limiter.spend(networks, 0.0)
        admitted += 1
    assert admitted == 4 * viewers + 16
    assert not limiter.is_exhausted(("192.0.2.2",), 0.0)
    assert not limiter.is_exhausted(networks, 10.1)


def test_time_until_tokens_are_checked_again() -> None:
    attempts, networks = TokenAttempts(), ("192.0.2.1",)
    for number in range(5):
        assert attempts.wait(networks, 10.0 + number) == 0
        attempts.check(f"guess{number}", "right", networks, 10.0 + number)
    assert attempts.wait(networks, 20.0) == 50.0
    assert attempts.wait(("192.0.2.2",), 20.0) == 0
    assert attempts.wait(networks, 70.0) == 0
    assert attempts.check("right", "right", networks, 70.0) is TokenResult.ACCEPTED
