"""One WebSocket before its `hello`."""

from __future__ import annotations

from broadcaster.auth.rate_limits import BAD_MESSAGE_COST, SlidingWindow
from broadcaster.errors import BadMessage, BroadcasterError
from broadcaster.signaling.messages import ErrorMessage, Hello, Unknown, parse_message
from broadcaster.signaling.protocol import CloseCode, ErrorCode


class Refusal(BroadcasterError):
    """Why a WebSocket gets no session: `error` is sent, then the connection is closed with `close`."""

    def __init__(self, code: ErrorCode, close: CloseCode, message: str, *, limit: int | None = None) -> None:
        super().__init__(message)
        self.close = close
        self.error = ErrorMessage(code, message, limit=limit)


def no_hello() -> Refusal:
    """The connection said nothing, or something else first."""
    return Refusal(ErrorCode.NO_HELLO, CloseCode.PROTOCOL_ERROR, "no hello")


def too_many(what: str) -> Refusal:
    """Too many messages, connections or wrong tokens."""
    return Refusal(ErrorCode.TOO_MANY, CloseCode.TOO_MANY, f"too many {what}")


class Opening:
    """Waits for `hello`; the endpoint holds the clock."""

    def __init__(self) -> None:
        self._budget = SlidingWindow()

    def receive(self, text: str, now: float) -> Hello | ErrorMessage | None:
        """Take one text message: the `hello`, or an answer to send while waiting, or nothing. Raises `Refusal`."""
        try:
            message = parse_message(text)
        except BadMessage as error:
            self._spend(now, BAD_MESSAGE_COST)
            return ErrorMessage(ErrorCode.BAD_MESSAGE, str(error), field=error.field)
        if isinstance(message, Hello):
            return message
        if not isinstance(message, Unknown):
            raise no_hello()
        self._spend(now, 1)
        return None

    def ping(self, now: float) -> None:
        """A ping frame costs as much as a message. Raises `Refusal`."""
        self._spend(now, 1)

    def _spend(self, now: float, cost: int) -> None:
        if not self._budget.spend(now, cost):
            raise too_many("messages")
