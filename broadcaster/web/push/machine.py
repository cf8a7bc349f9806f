"""The life of one push target: when to connect, to retry, to give up and to disconnect.

Pure: events and time in, actions out. An attempt has a number; events of attempts that are over are ignored.
"""

from __future__ import annotations

from broadcaster.auth.rate_limits import CANDIDATES_PER_OFFER
from broadcaster.errors import BadAnswer, IllegalEvent
from broadcaster.model.offers import Offer
from broadcaster.model.push import PushState
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import AddCandidate, ApplyAnswer, ClosePeer, Log
from broadcaster.signaling.candidates import Dropped, filter_server_candidate
from broadcaster.signaling.sdp import filter_answer
from broadcaster.stream.backoff import STEADY, BackOff
from broadcaster.web.push.actions import (
    Abort,
    Action,
    CheckConsent,
    DeleteSession,
    ForgetSession,
    IceServers,
    Post,
    Prepare,
    StoreSession,
    WhipAnswer,
)

CONNECT_TIMEOUT = 10.0
"""Seconds from the answer until the peer connection must be connected."""

QUIET = 1.0
"""Seconds without an authenticated datagram after which connectivity checks are sent: some servers report rarely."""

CHECK_INTERVAL = 0.5
"""Seconds between two of these checks."""

MAX_CHECKS = 4
"""Checks without an answer after which the server counts as gone: one that was killed and restarted says nothing, and
ICE alone notices after half a minute. They are counted because this machine itself may have stalled."""

SILENCE_LIMIT = QUIET + MAX_CHECKS * CHECK_INTERVAL
"""Seconds of silence until then."""

MAX_DELETES = 3
"""Attempts to delete a session that its server does not answer."""

_REFUSALS = (401, 403)
_CREATED = 201
_NOT_LIVE = (StreamState.OFFLINE, StreamState.STOPPING)
_UNREACHABLE = (
    f"the server accepted the stream, but no media connection within {CONNECT_TIMEOUT:g} s; "
    "it may announce an address that cannot be reached from here, or a firewall blocks UDP"
)


class PushMachine:
    """Decides what happens to one push target; `state`, `http_status`, `reason` and the counters are for the status.

    `session` is a session that an earlier process may have left. `loopback`: the server is reached at a loopback
    address, so its candidates may have one.
    """

    def __init__(self, session: str = "", *, loopback: bool = False) -> None:
        self.state = PushState.IDLE
        self.http_status = 0
        self.reason = ""
        self.attempts = 0
        self.connections = 0
        self.retry_at = float("-inf")
        self.connected_at = float("-inf")
        self._stream = StreamState.OFFLINE
        self._session = session
        self._deletes = 0
        self._loopback = loopback
        self._ice_servers: IceServers = ()
        self._offer: Offer | None = None
        self._began_at = float("-inf")
        self._deadline = float("inf")
        self._checked_at = float("-inf")
        self._checks = 0
        self._backoff = BackOff()
        self._logged = ""
        self._is_over = False

    def stream_changed(self, stream: StreamState, now: float) -> list[Action]:
        """Connect when the stream goes live, and disconnect when it ends; a source that fails changes nothing."""
        self._stream = stream
        if stream in _NOT_LIVE:
            return self._disconnect()
        if self.state is PushState.IDLE:
            self.state, self.retry_at = PushState.WAITING, now
        return self.step(now, None) if self.state is PushState.WAITING else []

    def end(self) -> list[Action]:
        """Disconnect for good."""
        self._is_over = True
        return self._disconnect()

    def offered(self, id: int, offer: Offer) -> list[Action]:
        """The offer of that attempt is made."""
        if not self._is_current(id):
            return []
        self._offer = offer
        return [Post(id, offer.sdp)]

    def answered(self, id: int, answer: WhipAnswer, now: float) -> list[Action]:
        """The server has accepted the stream, and opened a session."""
        if not self._is_current(id) or self._offer is None:
            return [DeleteSession(answer.session)]
        self._session, self._deletes, self.http_status = answer.session, 0, _CREATED
        self._ice_servers = answer.ice_servers or self._ice_servers
        stored = StoreSession(answer.session)
        try:
            filtered = filter_answer(self._offer.sdp, answer.sdp, of_server=True)
        except BadAnswer as error:
            return [stored, *self._fail(f"the server's answer cannot be used: {error}", now)]
        self._deadline = now + CONNECT_TIMEOUT
        return [stored, ApplyAnswer(id, filtered.sdp), *self._candidates(id, filtered.candidates)]

    def connected(self, id: int, now: float) -> list[Action]:
        """The peer connection of that attempt is connected."""
        if not self._is_current(id):
            return []
        self.state, self.reason, self.connected_at, self._deadline = PushState.CONNECTED, "", now, float("inf")
        self.connections += 1
        self._logged = ""
        return [Log("connected", f"connected after {now - self._began_at:.2f} s")]

    def lost(self, id: int, now: float) -> list[Action]:
        """The peer connection of that attempt has failed, or the server has closed it."""
        return self.failed(id, "the connection was closed or lost", now)

    def failed(self, id: int, reason: str, now: float, http_status: int = 0) -> list[Action]:
        """That attempt has failed; `http_status` is the answer to the offer if it was refused, else 0."""
        return self._fail(reason, now, http_status) if self._is_current(id) else []

    def deleted(self, url: str) -> list[Action]:
        """That session is over; the server said so, or does not know it."""
        if url != self._session:
            return []
        self._session = ""
        return [ForgetSession(url)]

    def step(self, now: float, last_activity: float | None) -> list[Action]:
        """Do what is due; `last_activity` is when the last authenticated datagram arrived on the peer connection."""
        match self.state:
            case PushState.WAITING if self._stream is StreamState.LIVE and now >= self.retry_at:
                return self._begin(now)
            case PushState.CONNECTING if now >= self._deadline:
                return self._fail(_UNREACHABLE, now)
            case PushState.CONNECTED if now >= self._check_at(last_activity):
                return self._check(last_activity, now)
        return []

    def next_deadline(self, last_activity: float | None) -> float:
        """Return when `step` is due."""
        match self.state:
            case PushState.WAITING if self._stream is StreamState.LIVE:
                return self.retry_at
            case PushState.CONNECTING:
                return self._deadline
            case PushState.CONNECTED:
                return self._check_at(last_activity)
        return float("inf")

    def _check(self, last_activity: float | None, now: float) -> list[Action]:
        """Send a connectivity check, unless the server has not answered the last ones."""
        if self._heard_at(last_activity) > self._checked_at:
            self._checks = 0
        if self._checks >= MAX_CHECKS:
            return self._fail(f"the server has been silent for {SILENCE_LIMIT:g} s", now)
        self._checks, self._checked_at = self._checks + 1, now
        return [CheckConsent(self.attempts)]

    def _heard_at(self, last_activity: float | None) -> float:
        return max(self.connected_at, last_activity or self.connected_at)

    def _check_at(self, last_activity: float | None) -> float:
        return max(self._heard_at(last_activity) + QUIET, self._checked_at + CHECK_INTERVAL)

    def _is_current(self, id: int) -> bool:
        """Whether that attempt is still going on. Raises `IllegalEvent` if it was never begun."""
        if not 0 < id <= self.attempts:
            raise IllegalEvent(f"attempt {id} was never begun")
        return id == self.attempts and self.state in (PushState.CONNECTING, PushState.CONNECTED)

    def _begin(self, now: float) -> list[Action]:
        self.attempts += 1
        self.state, self._began_at, self._deadline, self._offer = PushState.CONNECTING, now, float("inf"), None
        return [*self._delete(), Prepare(self.attempts, self._ice_servers)]

    def _candidates(self, id: int, texts: tuple[str, ...]) -> list[Action]:
        """Add the candidates that can be used; each m-line may repeat them all."""
        actions: list[Action] = []
        for text in dict.fromkeys(texts):
            try:
                actions.append(AddCandidate(id, filter_server_candidate(text, loopback=self._loopback)))
            except Dropped:
                continue
        return actions[:CANDIDATES_PER_OFFER]

    def _fail(self, reason: str, now: float, http_status: int = 0) -> list[Action]:
        """End this attempt; the next one follows at once if the connection had lasted, else after the back-off."""
        worked = now - self.connected_at if self.state is PushState.CONNECTED else None
        self.http_status, self.reason = http_status or self.http_status, reason
        self._backoff.failed(worked)
        delay = 0.0 if worked is not None and worked >= STEADY else self._backoff.delay
        self.retry_at = now + delay
        self.state = PushState.REFUSED if http_status in _REFUSALS else PushState.WAITING
        return [*self._close(), *self._log(delay)]

    def _log(self, delay: float) -> list[Action]:
        """Log a reason once, however often it repeats."""
        if self.reason == self._logged:
            return []
        self._logged = self.reason
        refused = self.state is PushState.REFUSED
        then = "not tried again until the settings are reloaded" if refused else f"trying again in {delay:g} s"
        return [Log("failed", f"{self.reason}; {then}")]

    def _disconnect(self) -> list[Action]:
        was, refused = self.state, self.state is PushState.REFUSED and not self._is_over
        self.state = PushState.REFUSED if refused else PushState.IDLE
        self._backoff.reset()
        if not refused:
            self.reason = self._logged = ""
        if was not in (PushState.CONNECTING, PushState.CONNECTED):
            return []
        return [*self._close(), Log("disconnected", "disconnected")]

    def _close(self) -> list[Action]:
        return [Abort(self.attempts), ClosePeer(self.attempts), *self._delete()]

    def _delete(self) -> list[Action]:
        if not self._session or self._deletes >= MAX_DELETES:
            return []
        self._deletes += 1
        return [DeleteSession(self._session)]
