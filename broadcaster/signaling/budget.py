"""How much may be said, and how often guessed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` in any `seconds`."""

    limit: int
    seconds: float


MESSAGE_RATE = Rate(30, 10.0)
BAD_MESSAGE_COST = 3
CANDIDATES_AN_OFFER = 20
TOKEN_RATE = Rate(5, 60.0)
_ADDRESSES = 1024
"""Addresses remembered for their wrong tokens: bounded, since an attacker may have many."""


class Budget:
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


class TokenAttempts:
    """Wrong tokens by address: after five in a minute an address waits until they are a minute old.

    Attempts while waiting are not counted, so nobody is locked out for ever.
    """

    def __init__(self, rate: Rate = TOKEN_RATE) -> None:
        self._rate = rate
        self._budgets: dict[str, Budget] = {}

    def wrong(self, address: str, now: float) -> None:
        """Count one wrong token."""
        budget = self._budgets.pop(address, None) or Budget(self._rate)
        budget.spend(now)
        self._budgets[address] = budget
        if len(self._budgets) > _ADDRESSES:
            del self._budgets[next(iter(self._budgets))]

    def must_wait(self, address: str, now: float) -> bool:
        """Whether this address has guessed enough for now."""
        budget = self._budgets.get(address)
        return budget is not None and budget.is_empty(now)
