"""Rate limits for messages, new sessions and wrong tokens; time is an argument."""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_network

from broadcaster.auth.tokens import tokens_match

_IPV6_NETWORK = 64
"""Prefix length of an IPv6 network (RFC 4291 §2.5.4); a machine in it may use any of its addresses."""
_IPV6_SITE = 48
"""Shortest prefix that a customer gets (RFC 6177); many hosting providers assign one."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` events in any `seconds`."""

    limit: int
    seconds: float


MESSAGE_RATE = Rate(30, 10.0)
BAD_MESSAGE_COST = 3
RESUME_COST = 3
"""Resuming may need a new peer connection; a page reconnects at most once per second."""
CANDIDATES_PER_OFFER = 20
TOKEN_RATE = Rate(5, 60.0)
NETWORK_RATE = Rate(20, 60.0)
ADMISSIONS_SECONDS = 10.0
ADMISSIONS_PER_VIEWER = 4
SPARE_ADMISSIONS = 16
"""With a small `max_viewers`, one person may still reload the page often."""
_MAX_NETWORKS = 4096
"""Number of networks, and of wrong tokens, to remember; bounded, because an attacker may have many."""


class SlidingWindow:
    """A sliding-window rate limiter."""

    def __init__(self, rate: Rate = MESSAGE_RATE) -> None:
        self._rate = rate
        self._spent: deque[float] = deque()

    def spend(self, now: float, cost: int = 1) -> bool:
        """Charge `cost`; return False when the limit is exceeded."""
        self._expire(now)
        self._spent.extend([now] * cost)
        return len(self._spent) <= self._rate.limit

    def is_exhausted(self, now: float) -> bool:
        """Return whether the limit is reached."""
        self._expire(now)
        return len(self._spent) >= self._rate.limit

    def wait(self, now: float) -> float:
        """Return the seconds until the limit is no longer reached."""
        self._expire(now)
        excess = len(self._spent) - self._rate.limit
        return 0.0 if excess < 0 else self._spent[excess] + self._rate.seconds - now

    def _expire(self, now: float) -> None:
        while self._spent and self._spent[0] <= now - self._rate.seconds:
            self._spent.popleft()


class TokenBucket:
    """A token bucket of `rate` per second that holds one second's worth; for events too frequent to remember each."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._level = rate
        self._updated_at = 0.0

    def take(self, amount: float, now: float) -> bool:
        """Take `amount`; return False, and take nothing, when there is less."""
        self._level = min(self._rate, self._level + max(0.0, now - self._updated_at) * self._rate)
        self._updated_at = now
        if amount > self._level:
            return False
        self._level -= amount
        return True


class NetworkLimiter:
    """Rate limits by network: `rates` are those of an address (or its network), then of the wider network around it."""

    def __init__(self, *rates: Rate) -> None:
        self._rates = rates
        self._windows: dict[str, SlidingWindow] = {}

    def spend(self, networks: Sequence[str], now: float) -> None:
        """Charge each of these networks, the narrowest first."""
        for network, rate in zip(networks, self._rates, strict=False):
            window = self._windows.pop(network, None) or SlidingWindow(rate)
            window.spend(now)
            self._windows[network] = window
            if len(self._windows) > _MAX_NETWORKS:
                del self._windows[next(iter(self._windows))]

    def is_exhausted(self, networks: Sequence[str], now: float) -> bool:
        """Return whether any of these networks has reached its limit."""
        windows = (self._windows.get(network) for network in networks)
        return any(window is not None and window.is_exhausted(now) for window in windows)

    def wait(self, networks: Sequence[str], now: float) -> float:
        """Return the seconds until none of these networks has reached its limit."""
        return max(window.wait(now) if (window := self._windows.get(network)) else 0.0 for network in networks)


def admission_limiter(max_viewers: int) -> NetworkLimiter:
    """Return the limiter of new sessions: each needs a peer connection, which costs far more than a message.

    After a restart all viewers may reconnect at once from one address, several times over. A client that sends `hello`
    and `bye` in a loop is limited.
    """
    limit = ADMISSIONS_PER_VIEWER * max_viewers + SPARE_ADMISSIONS
    return NetworkLimiter(Rate(limit, ADMISSIONS_SECONDS), Rate(2 * limit, ADMISSIONS_SECONDS))


class TokenResult(Enum):
    """Outcome of checking a token."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    RATE_LIMITED = "rate-limited"


class TokenAttempts:
    """Checks tokens, and rate-limits wrong ones by network.

    An address is refused after five wrong tokens in a minute, and the wider network after twenty. Refused attempts are
    not counted, so the refusal ends a minute after the wrong tokens. A wrong token that comes again is no new guess,
    and is not counted either: a player that retries its old token for ever must not lock out everyone at its address.
    """

    def __init__(self) -> None:
        self._wrong = NetworkLimiter(TOKEN_RATE, NETWORK_RATE)
        self._key = secrets.token_bytes()
        self._known: dict[tuple[str, bytes], None] = {}

    def check(self, token: str, expected: str, networks: Sequence[str], now: float) -> TokenResult:
        """Compare a token from `networks` (narrowest first) with `expected`; if that is empty, every token is wrong.

        The correct token is rate-limited too; otherwise the limit would reveal which guess was correct.
        """
        if self._wrong.is_exhausted(networks, now):
            return TokenResult.RATE_LIMITED
        if expected and tokens_match(token, expected):
            return TokenResult.ACCEPTED
        if not self._is_repeated(token, networks[0]):
            self._wrong.spend(networks, now)
        return TokenResult.WRONG

    def wait(self, networks: Sequence[str], now: float) -> float:
        """Return the seconds until tokens from `networks` are checked again."""
        return self._wrong.wait(networks, now)

    def _is_repeated(self, token: str, network: str) -> bool:
        """Return whether this wrong token has come from this network before; tokens are remembered as digests."""
        digest = hmac.digest(self._key, token.encode("utf-8", "surrogatepass"), "sha256")
        is_known = self._known.pop((network, digest), self) is None
        self._known[network, digest] = None
        if len(self._known) > _MAX_NETWORKS:
            del self._known[next(iter(self._known))]
        return is_known


def networks(address: str) -> tuple[str, ...]:
    """Return the networks of an address, narrowest first: an IPv4 address itself, or an IPv6 network and site."""
    if ":" not in address:
        return (address,)
    return tuple(str(ip_network((address, bits), strict=False)) for bits in (_IPV6_NETWORK, _IPV6_SITE))
