"""Messages of one viewer: reads them, limits their number, and passes them on to the negotiation."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.auth.rate_limits import BAD_MESSAGE_COST, SlidingWindow
from broadcaster.errors import BadMessage
from broadcaster.signaling.actions import Action, Log, Prefer, RequestMediaKeyframe, Send, SendTicket
from broadcaster.signaling.media import Media
from broadcaster.signaling.messages import (
    Answer,
    Bye,
    Candidate,
    ErrorMessage,
    Heartbeat,
    Hello,
    Keyframe,
    QualityMessage,
    Restart,
    Unknown,
    ViewerMessage,
    heartbeat_reply,
    parse_message,
)
from broadcaster.signaling.negotiation import Negotiation
from broadcaster.signaling.protocol import LEFT, CloseCode, ErrorCode

_UNKNOWN_TYPES_LOGGED = 8


@dataclass(frozen=True, slots=True)
class EndSession:
    """The session is to end: `error` is sent first, then the WebSocket is closed with `code`."""

    reason: str
    code: CloseCode = CloseCode.NORMAL
    error: ErrorMessage | None = None


def too_many_messages() -> EndSession:
    """Return the end of a session that has used up its message budget."""
    message = "too many messages"
    return EndSession(message, CloseCode.TOO_MANY, ErrorMessage(ErrorCode.TOO_MANY, message))


class Dispatcher:
    """Dispatches the messages of one session, over all its WebSockets."""

    def __init__(self, negotiation: Negotiation) -> None:
        self._negotiation = negotiation
        self._budget = SlidingWindow()
        self._unknown: set[str] = set()

    def spend(self, now: float, cost: int = 1) -> bool:
        """Charge the message budget; False when it is exceeded."""
        return self._budget.spend(now, cost)

    def receive(self, text: str, now: float) -> list[Action] | EndSession:
        """Take one text message; candidates that an offer may bring cost nothing."""
        try:
            message = parse_message(text)
        except BadMessage as error:
            return self._bad_message(error, now, BAD_MESSAGE_COST)
        expected = isinstance(message, Candidate) and self._negotiation.expects(message)
        if not expected and not self.spend(now):
            return too_many_messages()
        try:
            return self._dispatch(message, now)
        except BadMessage as error:
            return self._bad_message(error, now, BAD_MESSAGE_COST - 1)

    def _dispatch(self, message: ViewerMessage | Unknown, now: float) -> list[Action] | EndSession:
        match message:
            case Answer():
                return self._negotiation.answer(message)
            case Candidate():
                return self._negotiation.candidate(message)
            case Heartbeat():
                return [Send(heartbeat_reply(now, message.t))]
            case Restart():
                return self._negotiation.restart(message, now)
            case Keyframe():
                return [*self._negotiation.keyframe(), RequestMediaKeyframe()]
            case QualityMessage(want):
                return [Prefer(want)]
            case Media():
                return [SendTicket()]
            case Bye():
                return EndSession(LEFT)
            case Hello():
                raise BadMessage("type", "the session is already open")
            case Unknown():
                return self._log_unknown(message.type)

    def _log_unknown(self, type: str) -> list[Action]:
        if type in self._unknown or len(self._unknown) >= _UNKNOWN_TYPES_LOGGED:
            return []
        self._unknown.add(type)
        return [Log("unknown", f"sent a message of unknown type {type}")]

    def _bad_message(self, error: BadMessage, now: float, cost: int) -> list[Action] | EndSession:
        if not self.spend(now, cost):
            return too_many_messages()
        return [Send(ErrorMessage(ErrorCode.BAD_MESSAGE, str(error), field=error.field))]
