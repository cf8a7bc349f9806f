"""Rate limits: of messages, new sessions and wrong tokens. Time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from broadcaster.auth.tokens import tokens_match


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` in any `seconds`."""

    limit: int
    seconds: float


MESSAGE_RATE = Rate(30, 10.0)
BAD_MESSAGE_COST = 3
RESUME_COST = 3
"""Each may bring a new peer connection; a page comes back once a second at most."""
CANDIDATES_AN_OFFER = 20
TOKEN_RATE = Rate(5, 60.0)
NETWORK_RATE = Rate(20, 60.0)
ADMISSIONS_SECONDS = 10.0
ADMISSIONS_A_VIEWER = 4
SPARE_ADMISSIONS = 16
"""For one place where there is room for few: somebody who loads the page again and again."""
_PLACES = 4096
"""Places remembered for what was done from there: bounded, since an attacker may have many."""


class SlidingWindow:
    """A sliding window over what one viewer says."""

    def __init__(self, rate: Rate = MESSAGE_RATE) -> None:
        self._rate = rate
        self._spent: deque[float] = deque()

    def spend(self, now: float, cost: int = 1) -> bool:
        """Take `cost`; False when that is more than there is."""
        self._forget(now)
        self._spent.extend([now] * cost)
        return len(self._spent) <= self._rate.limit

    def is_empty(self, now: float) -> bool:
        """Whether nothing is left to spend."""
        self._forget(now)
        return len(self._spent) >= self._rate.limit

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0] <= now - self._rate.seconds:
            self._spent.popleft()


class TokenBucket:
    """So much a second on average, and a second's worth at once: for what comes too often to be noted one by one."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left = rate
        self._at = 0.0

    def take(self, amount: float, now: float) -> bool:
        """Take `amount`; False, and nothing is taken, when there is less."""
        self._left = min(self._rate, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        if amount > self._left:
            return False
        self._left -= amount
        return True


class NetworkLimiter:
    """Budgets of places: of an address or a network, and of the wider one that has it, each with its own rate."""

    def __init__(self, *rates: Rate) -> None:
        self._rates = rates
        self._budgets: dict[str, SlidingWindow] = {}

    def spend(self, places: Sequence[str], now: float) -> None:
        """Take one of each place, the narrowest first."""
        for place, rate in zip(places, self._rates, strict=False):
            budget = self._budgets.pop(place, None) or SlidingWindow(rate)
            budget.spend(now)
            self._budgets[place] = budget
            if len(self._budgets) > _PLACES:
                del self._budgets[next(iter(self._budgets))]

    def is_empty(self, places: Sequence[str], now: float) -> bool:
        """Whether nothing is left for one of them."""
        budgets = (self._budgets.get(place) for place in places)
        return any(budget is not None and budget.is_empty(now) for budget in budgets)


def admissions(max_viewers: int) -> NetworkLimiter:
    """How many new sessions one place may have: each is a peer connection to make, and costs more than it says.

    All viewers may be behind one address and come back together, after a restart: that has room several times over.
    Who says `hello` and `bye` by turns has not.
    """
    limit = ADMISSIONS_A_VIEWER * max_viewers + SPARE_ADMISSIONS
    return NetworkLimiter(Rate(limit, ADMISSIONS_SECONDS), Rate(2 * limit, ADMISSIONS_SECONDS))


class TokenResult(Enum):
    """Outcome of checking a token."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    RATE_LIMITED = "rate-limited"


class TokenAttempts:
    """Checks tokens, and rate-limits wrong ones by network, from the narrowest to the widest.

    After five wrong tokens in a minute an address is refused until they are a minute old, and after twenty the wider
    network. What is refused is not counted, so nobody is locked out for ever.
    """

    def __init__(self) -> None:
        self._wrong = NetworkLimiter(TOKEN_RATE, NETWORK_RATE)

    def check(self, given: str, expected: str, places: Sequence[str], now: float) -> TokenResult:
        """Compare a token from those networks with the expected one; where that is empty, every token is wrong.

        The right token is rate-limited too, or the limit would tell whether a guess was right.
        """
        if self._wrong.is_empty(places, now):
            return TokenResult.RATE_LIMITED
        if expected and tokens_match(given, expected):
            return TokenResult.ACCEPTED
        self._wrong.spend(places, now)
        return TokenResult.WRONG
