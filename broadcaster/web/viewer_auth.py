"""Who may watch: the plain token, links that end, and how often either may be guessed."""

from __future__ import annotations

from datetime import UTC, datetime

from broadcaster.auth.links import OPEN_GRANT, Grant, Link, read_link
from broadcaster.auth.rate_limits import TokenAttempts
from broadcaster.errors import BroadcasterError
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import Refusal, too_many
from broadcaster.signaling.protocol import CloseCode, ErrorCode
from broadcaster.storage.secrets import SecretFile
from broadcaster.web import access


class ViewerAuth:
    """Lets viewers in by `web.viewer_token`, or by links that were signed with the key in `key`; open without both."""

    def __init__(self, viewer_token: str, key: SecretFile | None, clock: Clock, log: RateLimitedLogger) -> None:
        self._viewer_token = viewer_token
        self._file = key
        self._key = ""
        self._problem = ""
        self._clock = clock
        self._log = log
        self._attempts = TokenAttempts()

    @property
    def is_open(self) -> bool:
        """Whether everyone may watch."""
        return not self._viewer_token and self._file is None

    def look(self) -> bool:
        """Read the key anew; whether it is another one, so that no link of before counts any more.

        While its disk cannot be read the key stays what it was.
        """
        if self._file is None:
            return False
        before, problem = self._key, ""
        try:
            self._key = self._file.made()
        except BroadcasterError as error:
            problem = str(error)
            self._key = before if isinstance(error.__cause__, OSError) else ""
        if problem and problem != self._problem:
            self._log.warning("links", f"links cannot be checked as they should: {problem}")
        self._problem = problem
        return before not in ("", self._key)

    def admit(self, token: str | None, address: str) -> Grant:
        """Let somebody in who says `token`. Raises `Refusal`.

        Even the right plain token has to wait after five wrong ones, or guessing would go on. A link has not: nobody
        guesses its signature (128 bits), and who guesses behind the same address must not lock guests out.
        """
        if self.is_open:
            return OPEN_GRANT
        if not token:
            raise Refusal(ErrorCode.TOKEN_MISSING, CloseCode.TOKEN, "a token is needed")
        places, now = access.networks(address), self._clock.monotonic()
        link = read_link(token, self._key) if self._key else None
        if link is not None:
            return self._by_link(link, now)
        if self._attempts.must_wait(places, now):
            raise too_many("wrong tokens")
        self._check(token, places, now)
        return OPEN_GRANT

    def _check(self, token: str, places: tuple[str, ...], now: float) -> None:
        """Compare with the plain token. Raises `Refusal`."""
        if not self._viewer_token or not access.is_token(token, self._viewer_token):
            self._attempts.wrong(places, now)
            raise Refusal(ErrorCode.TOKEN_WRONG, CloseCode.TOKEN, "the token is wrong")

    def _by_link(self, link: Link, now: float) -> Grant:
        """Let in by a link of ours. Raises `Refusal` when its time is over."""
        unix = self._clock.unix()
        if link.is_of_the_future(unix):
            shown = datetime.fromtimestamp(unix, UTC)
            self._log.warning(
                "clock",
                f"this machine's clock says {shown:%Y-%m-%d %H:%M} UTC, before the link of {link.name or 'a guest'} "
                f"was made: is it set? The link lasts its {link.seconds / 3600:.3g} h from now",
            )
        left = link.left(unix)
        if left <= 0:
            raise Refusal(ErrorCode.TOKEN_EXPIRED, CloseCode.TOKEN, "the link's time has ended")
        return Grant(link.name, now + left, by_link=True)
