"""Single-use tickets, by which a second connection proves to which session it belongs; time is an argument."""

from __future__ import annotations

from collections.abc import Callable

LIFETIME = 30.0
"""Seconds for which a ticket is valid."""

MAX_PER_SESSION = 4
"""Tickets of one session that are valid at the same time; a further one replaces the oldest."""


class Tickets:
    """Issues and redeems tickets; `make_secret` returns a value that cannot be guessed."""

    def __init__(self, make_secret: Callable[[], str], lifetime: float = LIFETIME) -> None:
        self._make_secret = make_secret
        self._lifetime = lifetime
        self._by_session: dict[str, dict[str, float]] = {}
        self._sessions: dict[str, str] = {}

    def issue(self, session: str, now: float) -> str:
        """Return a new ticket of this session."""
        tickets = self._by_session.setdefault(session, {})
        if len(tickets) >= MAX_PER_SESSION:
            oldest = next(iter(tickets))
            del tickets[oldest], self._sessions[oldest]
        ticket = self._make_secret()
        tickets[ticket] = now + self._lifetime
        self._sessions[ticket] = session
        return ticket

    def redeem(self, ticket: str, now: float) -> str | None:
        """Return the session of a ticket, which becomes invalid; None if it is wrong, late or used."""
        session = self._sessions.pop(ticket, None)
        if session is None:
            return None
        expires_at = self._by_session[session].pop(ticket)
        return session if now < expires_at else None

    def revoke(self, session: str) -> None:
        """Make all tickets of a session invalid, because it has ended; idempotent."""
        for ticket in self._by_session.pop(session, {}):
            del self._sessions[ticket]
