"""Who may start, stop and see everything: the operator, by a token or by being on this machine."""

from __future__ import annotations

from aiohttp import hdrs, web

from broadcaster.auth.rate_limits import TokenAttempts, TokenResult, networks
from broadcaster.auth.tokens import bearer_token, tokens_match
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.storage.secrets import SecretFile, WatchedSecret
from broadcaster.web import access
from broadcaster.web.proxies import CALLER


class OperatorAuth:
    """Recognizes the operator by `web.operator_token`.

    Where that is not set, requests from this machine are the operator's, and requests with the token in `file`.
    """

    def __init__(self, token: str, file: SecretFile | None, clock: Clock, log: RateLimitedLogger) -> None:
        self._token = token
        self._made = None if token or file is None else WatchedSecret(file)
        self._clock = clock
        self._log = log
        self._attempts = TokenAttempts()

    def reload(self) -> None:
        """Read the token's file again."""
        if self._made is not None:
            self._made.reload(self._warn)

    def is_asking(self, request: web.Request) -> bool:
        """Whether this request is the operator's. Raises HTTP errors for a wrong token."""
        token = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        if token is not None and (self._token or self._made_token):
            self._check(token, networks(request[CALLER].address))
            return True
        peer = access.plain_address(request.remote)
        local = access.is_local_request(peer, request.headers.get(hdrs.HOST, ""), request.headers)
        return local and not self._token

    def refusal(self) -> web.HTTPException:
        """Return the answer to others who request what only the operator may."""
        if self._token:
            return _unauthorized("Authorization: Bearer with web.operator_token is needed.\n")
        if self._made_token:
            return _unauthorized(
                "Only as http://localhost on the machine itself, or by Authorization: Bearer with its operator token.\n"
            )
        return web.HTTPForbidden(
            text="Without web.operator_token this works only on the machine itself, as http://localhost.\n"
        )

    @property
    def _made_token(self) -> str:
        return "" if self._made is None else self._made.value

    def _check(self, token: str, places: tuple[str, ...]) -> None:
        """Compare with the operator's token. Raises HTTP errors.

        The token in the file is not rate-limited: it cannot be guessed, and somebody who tries from the same address
        must not lock the operator out.
        """
        if self._made_token and tokens_match(token, self._made_token):
            return
        match self._attempts.check(token, self._token, places, self._clock.monotonic()):
            case TokenResult.RATE_LIMITED:
                raise web.HTTPTooManyRequests(text="Too many wrong tokens. Wait a minute.\n")
            case TokenResult.WRONG:
                self._log.info("operator", f"refused {places[0]}: wrong operator token")
                raise _unauthorized("The token is wrong.\n")

    def _warn(self, problem: str) -> None:
        self._log.warning("operator", f"starting and stopping by HTTP may work on this machine only: {problem}")


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
