"""All sessions: how many there may be, who comes back to which, and what viewers are told of their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from broadcaster.model.stream import StreamStatus
from broadcaster.signaling.opening import Refusal
from broadcaster.signaling.protocol import CloseCode, ErrorCode, Timings
from broadcaster.signaling.session import Session


@dataclass(frozen=True, slots=True)
class Admission:
    """A session to go on with, and the kept one, if any, that gives its place to it."""

    session: Session
    displaced: Session | None = None


def busy() -> Refusal:
    """What a newcomer is told while this machine cannot carry one more, whatever the limit."""
    return Refusal(ErrorCode.FULL, CloseCode.FULL, "this machine cannot carry more viewers now")


class Sessions:
    """At most `limit` sessions, and no new ones while `refuses_newcomers`; `make_secret` gives a new `resume` value."""

    def __init__(self, limit: int, make_secret: Callable[[], str], timings: Timings) -> None:
        self.limit = limit
        self.refuses_newcomers = False
        self._make_secret = make_secret
        self._timings = timings
        self._by_resume: dict[str, Session] = {}
        self._admitted = 0
        self._told = 0
        self._may_tell_at = float("-inf")

    def __len__(self) -> int:
        return len(self._by_resume)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_resume.values()))

    def knows(self, resume: str | None) -> bool:
        """Whether there is a session with this `resume` value."""
        return resume in self._by_resume

    def admit(self, resume: str | None, status: StreamStatus, now: float) -> Admission:
        """Find the session of this `resume` value, or open a new one. Raises `Refusal` when the house is full."""
        session = self._by_resume.get(resume or "")
        if session is not None:
            return Admission(session)
        if self.refuses_newcomers:
            raise busy()
        displaced = None
        if len(self) >= self.limit:
            displaced = self._longest_kept()
            self.forget(displaced)
        self._admitted += 1
        session = Session(f"v{self._admitted}", self._make_secret(), self._timings, status, now)
        self._by_resume[session.resume] = session
        return Admission(session, displaced)

    def forget(self, session: Session) -> None:
        """The session is over; idempotent."""
        self._by_resume.pop(session.resume, None)

    def full(self) -> Refusal:
        """What a newcomer is told when there is no place."""
        return Refusal(ErrorCode.FULL, CloseCode.FULL, f"all {self.limit} places are taken", limit=self.limit)

    def news(self, now: float) -> int | None:
        """The number of sessions, when it is time to tell everyone: it changed, and a second has passed."""
        if len(self) == self._told or now < self._may_tell_at:
            return None
        self._told = len(self)
        self._may_tell_at = now + self._timings.viewers_interval
        return self._told

    def next_news(self) -> float:
        """When `news` has something."""
        return float("inf") if len(self) == self._told else self._may_tell_at

    def _longest_kept(self) -> Session:
        kept = [(session.kept_until, session) for session in self if session.kept_until is not None]
        if not kept:
            raise self.full()
        return min(kept, key=lambda one: one[0])[1]
