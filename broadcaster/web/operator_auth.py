"""Authentication of the operator, who may start and stop the stream and see all stats."""

from __future__ import annotations

from aiohttp import hdrs, web

from broadcaster.auth import rate_limits
from broadcaster.auth.rate_limits import TokenAttempts, TokenResult
from broadcaster.auth.tokens import bearer_token, tokens_match
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.storage.secrets import SecretFile, WatchedSecret
from broadcaster.web import access
from broadcaster.web.proxies import CALLER


class OperatorAuth:
    """Authenticates the operator by `web.operator_token`.

    If that is empty, requests made on this machine are the operator's, and requests with the generated token in `file`.
    """

    def __init__(self, token: str, file: SecretFile | None, clock: Clock, log: RateLimitedLogger) -> None:
        self._token = token
        self._generated = None if token or file is None else WatchedSecret(file)
        self._clock = clock
        self._log = log
        self._attempts = TokenAttempts()

    def reload(self) -> None:
        """Read the file of the generated token again."""
        if self._generated is not None:
            self._generated.reload(self._warn)

    def is_operator(self, request: web.Request) -> bool:
        """Whether the operator made this request. Raises HTTP errors for a wrong token."""
        token = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        if token is not None and (self._token or self._generated_token):
            self._check(token, rate_limits.networks(request[CALLER].address))
            return True
        peer = access.plain_address(request.remote)
        is_local = access.is_local_request(peer, request.headers.get(hdrs.HOST, ""), request.headers)
        return is_local and not self._token

    def refusal(self) -> web.HTTPException:
        """Return the error response to requests that only the operator may make."""
        if self._token:
            return _unauthorized("This needs web.operator_token; send it as Authorization: Bearer TOKEN.\n")
        if self._generated_token:
            return _unauthorized(
                "This works on the machine itself (http://localhost), or with its operator token "
                "(Authorization: Bearer TOKEN).\n"
            )
        return web.HTTPForbidden(
            text="This works only on the machine itself (http://localhost), unless web.operator_token is set.\n"
        )

    @property
    def _generated_token(self) -> str:
        return "" if self._generated is None else self._generated.value

    def _check(self, token: str, networks: tuple[str, ...]) -> None:
        """Compare with the operator token. Raises HTTP errors.

        The generated token is not rate-limited: it cannot be guessed, and a client at the same address that guesses
        tokens must not lock the operator out.
        """
        if self._generated_token and tokens_match(token, self._generated_token):
            return
        match self._attempts.check(token, self._token, networks, self._clock.monotonic()):
            case TokenResult.RATE_LIMITED:
                raise web.HTTPTooManyRequests(text="Too many wrong tokens; wait a minute.\n")
            case TokenResult.WRONG:
                self._log.info("operator", f"refused {networks[0]}: wrong operator token")
                raise _unauthorized("The token is wrong.\n")

    def _warn(self, problem: str) -> None:
        self._log.warning("operator", f"starting and stopping over HTTP may work on this machine only: {problem}")


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
