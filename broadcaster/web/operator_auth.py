"""Authentication of the operator, who may start and stop the stream and see all stats."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aiohttp import hdrs, web

from broadcaster.auth import rate_limits
from broadcaster.auth.browsers import device_name
from broadcaster.auth.rate_limits import TokenAttempts, TokenResult
from broadcaster.auth.tokens import bearer_token, tokens_match
from broadcaster.model.quantities import count_text
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.storage.browsers import SignedInBrowsers
from broadcaster.storage.secrets import SecretFile, WatchedSecret
from broadcaster.web import access
from broadcaster.web.proxies import CALLER

_SAFE_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who made a request of the operator: a name for the log, and the id of the signed-in browser, if it is one."""

    name: str
    browser: str = ""

    def __str__(self) -> str:
        return f"owner: {self.name}"


class OperatorAuth:
    """Authenticates the operator by `web.operator_token`, or by the cookie of a signed-in browser.

    If the token is empty, requests made on this machine are the operator's, and requests with the generated token in
    `file`. `cookie` is the name of the cookie.
    """

    def __init__(
        self,
        token: str,
        file: SecretFile | None,
        clock: Clock,
        log: RateLimitedLogger,
        browsers: SignedInBrowsers,
        cookie: str,
    ) -> None:
        self.cookie = cookie
        self.browsers = browsers
        self._token = token
        self._generated = None if token or file is None else WatchedSecret(file)
        self._clock = clock
        self._log = log
        self._attempts = TokenAttempts()

    @property
    def token(self) -> str:
        """The token that is valid now; empty if there is none."""
        return self._token or self._generated_token

    def reload(self) -> None:
        """Read the file of the generated token again."""
        if self._generated is not None:
            self._generated.reload(self._warn)

    def is_operator(self, request: web.Request) -> bool:
        """Whether the operator made this request. Raises HTTP errors for a wrong token."""
        return self.identify(request) is not None

    def require(self, request: web.Request) -> Operator:
        """Return the operator who made this request. Raises HTTP errors if somebody else did."""
        operator = self.identify(request)
        if operator is None:
            raise self.refusal()
        return operator

    def identify(self, request: web.Request) -> Operator | None:
        """Return the operator who made this request; None if somebody else did. Raises HTTP errors for a wrong token.

        A cookie is valid only for this machine's own pages: browsers send it with requests of other ports, too. On this
        machine, where no token is needed, one of another kind, such as a viewer's, does no harm, and is not counted.
        """
        name = device_name(request.headers.get(hdrs.USER_AGENT, ""))
        token = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        peer = access.plain_address(request.remote)
        is_local = access.is_local_request(peer, request.headers.get(hdrs.HOST, ""), request.headers)
        if token is not None and self.token and (self._token or not is_local):
            self.check(token, request)
            return Operator(name)
        secret = request.cookies.get(self.cookie)
        browser = self.browsers.find(secret, self.token) if secret and is_own_page(request) else None
        if browser is not None:
            return Operator(browser.name, browser.id)
        return Operator(name) if is_local and not self._token else None

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

    def check(self, token: str, request: web.Request) -> None:
        """Compare with the operator token. Raises HTTP errors.

        The generated token is not rate-limited: it cannot be guessed, and a client at the same address that guesses
        tokens must not lock the operator out.
        """
        if self._generated_token and tokens_match(token, self._generated_token):
            return
        networks, now = rate_limits.networks(request[CALLER].address), self._clock.monotonic()
        match self._attempts.check(token, self._token, networks, now):
            case TokenResult.RATE_LIMITED:
                seconds = max(1, math.ceil(self._attempts.wait(networks, now)))
                raise web.HTTPTooManyRequests(
                    text=f"Too many wrong tokens; wait {count_text(seconds, 'second')}.\n",
                    headers={hdrs.RETRY_AFTER: str(seconds)},
                )
            case TokenResult.WRONG:
                self._log.info("operator", f"refused {networks[0]}: wrong operator token")
                raise _unauthorized("The token is wrong.\n")

    @property
    def _generated_token(self) -> str:
        return "" if self._generated is None else self._generated.value

    def _warn(self, problem: str) -> None:
        self._log.warning("operator", f"starting and stopping over HTTP may work on this machine only: {problem}")


def is_own_page(request: web.Request) -> bool:
    """Whether a page of this machine made the request; one that changes something must name its origin."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        is_websocket = hdrs.SEC_WEBSOCKET_KEY in request.headers
        return request.method in _SAFE_METHODS and not is_websocket
    return access.is_allowed_origin(origin, request.headers.get(hdrs.HOST, ""), ())


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
