"""Authentication of viewers by the viewer token or by a signed link."""

from __future__ import annotations

from datetime import UTC, datetime

from broadcaster.auth.links import OPEN_GRANT, Grant, Link, key_id, link_id, read_link, sign_link
from broadcaster.auth.rate_limits import TokenAttempts, TokenResult, networks
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import Refusal, too_many
from broadcaster.signaling.protocol import CloseCode, ErrorCode
from broadcaster.storage.link_list import LinkList
from broadcaster.storage.secrets import SecretFile, WatchedSecret

_PREVIEW = 3600
"""Seconds: the links for the owner's own page are made for each hour and the one after it."""


class ViewerAuth:
    """Admits viewers with `web.viewer_token`, or with a link signed with `key`; everyone if both are unset."""

    def __init__(
        self, viewer_token: str, key: SecretFile | None, clock: Clock, log: RateLimitedLogger, links: LinkList
    ) -> None:
        self.links = links
        self._unlisted: set[str] = set()
        self._viewer_token = viewer_token
        self._key = None if key is None else WatchedSecret(key)
        self._clock = clock
        self._log = log
        self._attempts = TokenAttempts()

    @property
    def is_open(self) -> bool:
        """Whether everyone may watch."""
        return not self._viewer_token and self._key is None

    @property
    def link_key_id(self) -> str:
        """The id of the key whose links are valid; empty if no link is."""
        return "" if self._key is None else key_id(self._key.value)

    @property
    def link_key(self) -> str:
        """The key that signs viewer links; empty if no link is valid."""
        return "" if self._key is None else self._key.value

    def preview_token(self, name: str) -> str:
        """Return a token for the owner, valid for an hour at least; empty if none is needed."""
        if self.is_open or not self.link_key:
            return self._viewer_token
        hour = int(self._clock.unix()) // _PREVIEW * _PREVIEW
        link = Link(name, hour, 2 * _PREVIEW)
        self._unlisted.add(link_id(link, self.link_key))
        return sign_link(link, self.link_key)

    def reload(self) -> bool:
        """Read the file of the key again, and return whether the key has changed, which revokes all links."""
        has_changed = self._key is not None and self._key.reload(self._warn)
        if has_changed:
            self.links.clear()
        return has_changed

    def admit(self, token: str, address: str) -> Grant:
        """Return the grant of a viewer with this token. Raises `Refusal`.

        Valid links are not rate-limited: their signature (128 bits) cannot be guessed, and a client that guesses the
        viewer token at the same address must not lock their holders out.
        """
        if self.is_open:
            return OPEN_GRANT
        if not token:
            raise Refusal(ErrorCode.TOKEN_MISSING, CloseCode.TOKEN, "a token is required")
        now = self._clock.monotonic()
        link = read_link(token, self._key.value) if self._key is not None and self._key.value else None
        if link is not None:
            return self._grant(link, now)
        match self._attempts.check(token, self._viewer_token, networks(address), now):
            case TokenResult.RATE_LIMITED:
                raise too_many("wrong tokens")
            case TokenResult.WRONG:
                raise Refusal(ErrorCode.TOKEN_WRONG, CloseCode.TOKEN, "the token is wrong")
        return OPEN_GRANT

    def _grant(self, link: Link, now: float) -> Grant:
        """Return the grant of a link. Raises `Refusal` if it has expired."""
        unix = self._clock.unix()
        if link.is_from_the_future(unix):
            now_utc = datetime.fromtimestamp(unix, UTC)
            self._log.warning(
                "clock",
                f"the link of {link.name or 'an unnamed viewer'} was made in the future: this machine's clock shows "
                f"{now_utc:%Y-%m-%d %H:%M} UTC; set it. The link is valid for {link.seconds / 3600:.3g} h from now",
            )
        left, id = link.remaining(unix), link_id(link, self.link_key)
        if left <= 0:
            raise Refusal(ErrorCode.TOKEN_EXPIRED, CloseCode.TOKEN, "the link has expired")
        if self.links.is_ended(id):
            raise Refusal(ErrorCode.TOKEN_EXPIRED, CloseCode.TOKEN, "the owner has ended this link")
        if id not in self._unlisted:
            self.links.add(id, link)
        return Grant(link.name, now + left, by_link=True, link=id)

    def _warn(self, problem: str) -> None:
        self._log.warning("links", f"viewers' links may not work: {problem}")
