"""A player's session (WHEP): when it is over, and what its PATCH requests may bring."""

from __future__ import annotations

from broadcaster.auth.rate_limits import CANDIDATES_PER_OFFER, SlidingWindow
from broadcaster.errors import BadOffer
from broadcaster.signaling.player_offer import MAX_LINES, PlayerOffer
from broadcaster.signaling.protocol import Timings
from broadcaster.signaling.sections import split_sections


class IceRestartRequested(BadOffer):
    """A fragment with new ICE credentials, which asks for an ICE restart (RFC 9725 §4.3.2)."""


class PlayerSession:
    """The session of one player; time is an argument.

    A player has no heartbeat: it is connected as long as authenticated datagrams come. `ends_at` is when its link
    expires.
    """

    def __init__(self, offer: PlayerOffer, timings: Timings, now: float, ends_at: float) -> None:
        self.candidates_dropped = 0
        self.is_connected = False
        self._offer = offer
        self._timings = timings
        self._opened_at = now
        self._ends_at = ends_at
        self._candidates = 0
        self._patches = SlidingWindow()

    def seconds(self, now: float) -> float:
        """Return how long it has been open."""
        return now - self._opened_at

    def connected(self) -> None:
        """The peer connection is connected."""
        self.is_connected = True

    def end_reason(self, now: float, last_activity: float | None) -> str | None:
        """Return why it is over, or None; `last_activity` is when the last authenticated datagram arrived."""
        if now >= self._ends_at:
            return "link expired"
        if now < self._silent_at(last_activity):
            return None
        return "no sign of life" if self.is_connected else f"not connected in {self._timings.connect_timeout:g} s"

    def next_deadline(self, last_activity: float | None) -> float:
        """Return when to ask `end_reason` again."""
        return min(self._ends_at, self._silent_at(last_activity))

    def take_patch(self, now: float) -> bool:
        """Count a PATCH request; return whether there are not too many."""
        return self._patches.spend(now)

    def read_fragment(self, text: str) -> list[str]:
        """Return the candidates in an SDP fragment (RFC 8840 §9) for our transport, at most those that are left.

        Raises `BadOffer`.
        """
        if len(text.splitlines()) > MAX_LINES:
            raise BadOffer(f"more than {MAX_LINES} lines")
        tagged = self._offer.tagged.mid
        candidates: list[str] = []
        for section in split_sections(text):
            if section.all("mid") not in ([], [tagged]):
                continue  # a transport that the player closes when it has our answer: everything is bundled
            if any(ufrag != self._offer.transport.ufrag for ufrag in section.all("ice-ufrag")):
                raise IceRestartRequested("an ICE restart is not supported; open a new session")
            candidates += [f"candidate:{value}" for value in section.all("candidate")]
        return self.take_candidates(candidates)

    def take_candidates(self, candidates: list[str]) -> list[str]:
        """Return those candidates that are not too many, and count the others as dropped."""
        allowed = candidates[: CANDIDATES_PER_OFFER - self._candidates]
        self._candidates += len(allowed)
        self.candidates_dropped += len(candidates) - len(allowed)
        return allowed

    def _silent_at(self, last_activity: float | None) -> float:
        """Return when it is over unless another datagram comes."""
        if not self.is_connected:
            return self._opened_at + self._timings.connect_timeout
        return (self._opened_at if last_activity is None else last_activity) + self._timings.player_silence
