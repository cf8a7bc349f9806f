"""Who may start, stop and see everything: the operator, by a token or by being on this machine."""

from __future__ import annotations

from aiohttp import hdrs, web

from broadcaster.auth.rate_limits import TokenAttempts
from broadcaster.errors import BroadcasterError
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.storage.secrets import SecretFile
from broadcaster.web import access
from broadcaster.web.proxies import CALLER


class OperatorAuth:
    """Knows the operator by `web.operator_token`, which then everyone needs.

    Where that is not set, whoever is on this machine is the operator, and so is who has the token of `file`.
    """

    def __init__(self, token: str, file: SecretFile | None, clock: Clock, log: RateLimitedLogger) -> None:
        self._token = token
        self._file = None if token else file
        self._made = ""
        self._problem = ""
        self._clock = clock
        self._log = log
        self._attempts = TokenAttempts()

    def look(self) -> None:
        """Read the token's file anew; while its disk cannot be read the token stays what it was."""
        if self._file is None:
            return
        problem = ""
        try:
            self._made = self._file.made()
        except BroadcasterError as error:
            problem = str(error)
            self._made = self._made if isinstance(error.__cause__, OSError) else ""
        if problem and problem != self._problem:
            self._log.warning("operator", f"starting and stopping by HTTP may work on this machine only: {problem}")
        self._problem = problem

    def is_asking(self, request: web.Request) -> bool:
        """Whether this request is the operator's. Raises HTTP errors for a wrong token."""
        token = access.bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        if token is not None and (self._token or self._made):
            self._check(token, access.networks(request[CALLER].address))
            return True
        peer = access.plain_address(request.remote)
        local = access.is_local_request(peer, request.headers.get(hdrs.HOST, ""), request.headers)
        return local and not self._token

    def refusal(self) -> web.HTTPException:
        """What somebody else is told who wants to do what only the operator may."""
        if self._token:
            return _unauthorized("Authorization: Bearer with web.operator_token is needed.\n")
        if self._made:
            return _unauthorized(
                "Only as http://localhost on the machine itself, or by Authorization: Bearer with its operator token.\n"
            )
        return web.HTTPForbidden(
            text="Without web.operator_token this works only on the machine itself, as http://localhost.\n"
        )

    def _check(self, token: str, places: tuple[str, ...]) -> None:
        """Compare with the operator's token. Raises HTTP errors.

        The right one of `web.operator_token` has to wait after wrong ones, or guessing would go on. The one that we
        made has not: nobody guesses it, and who tries to behind the same address must not lock the operator out.
        """
        now = self._clock.monotonic()
        if not self._token and access.is_token(token, self._made):
            return
        if self._attempts.must_wait(places, now):
            raise web.HTTPTooManyRequests(text="Too many wrong tokens. Wait a minute.\n")
        if not self._token or not access.is_token(token, self._token):
            self._attempts.wrong(places, now)
            self._log.info("operator", f"refused {places[0]}: wrong operator token")
            raise _unauthorized("The token is wrong.\n")


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
