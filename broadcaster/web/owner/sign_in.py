"""`/api/owner/session`, `/api/owner/browsers` and `/api/owner/code`: browsers of the owner sign in and out."""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict
from typing import Any

from aiohttp import hdrs, web

from broadcaster.auth.browsers import LIFETIME, Browser, device_name
from broadcaster.auth.tickets import Tickets
from broadcaster.auth.tokens import MAX_LENGTH
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.web.api import json_response, read_object
from broadcaster.web.operator_auth import Operator, OperatorAuth, is_own_page
from broadcaster.web.proxies import CALLER

CODE_LIFETIME = 600.0
"""Seconds for which a code is valid."""
_CODE_BYTES = 18
"""Random bytes of a code: it need not be rate-limited, because it cannot be guessed."""
_OWNER = "owner"
_PATH = re.compile(r"/(?:[A-Za-z0-9._~%!$&'()*+=:@-]+/)*")
"""A path for a cookie: RFC 3986 §3.3, without the separators of RFC 6265 §4.1.1."""
_MAX_PATH = 200
_WRONG_BODY = 'The body must be {"token": "…"}, with the operator token or a code of `broadcaster owner`.\n'


class SignInApi:
    """Gives a cookie in exchange for the operator token, or for a code that can be used once."""

    def __init__(self, operator: OperatorAuth, clock: Clock, log: RateLimitedLogger) -> None:
        self._operator = operator
        self._browsers = operator.browsers
        self._clock = clock
        self._log = log
        self._codes = Tickets(lambda: secrets.token_urlsafe(_CODE_BYTES), CODE_LIFETIME)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_get("/api/owner/session", self.session)
        router.add_post("/api/owner/session", self.sign_in)
        router.add_delete("/api/owner/session", self.sign_out)
        router.add_get("/api/owner/browsers", self.list)
        router.add_delete("/api/owner/browsers", self.sign_out_all)
        router.add_delete("/api/owner/browsers/{id}", self.sign_out_one)
        router.add_post("/api/owner/code", self.code)

    def issue_code(self) -> str:
        """Return a new code; at most the last few are valid."""
        return self._codes.issue(_OWNER, self._clock.monotonic())

    async def session(self, request: web.Request) -> web.Response:
        """Say whether the operator asks, and whether the connection is encrypted."""
        operator = self._operator.identify(request)
        answer = {"owner": operator is not None, "secure": request[CALLER].secure}
        return json_response(answer if operator is None else answer | asdict(operator))

    async def sign_in(self, request: web.Request) -> web.Response:
        """Sign this browser in, for the paths below `path` (of the page, which a proxy may serve below its own)."""
        if not is_own_page(request) and hdrs.ORIGIN in request.headers:
            raise web.HTTPForbidden(text="Only this machine's own page can sign in.\n")
        body = await read_object(request)
        token, path = body.get("token"), body.get("path", "/")
        if not isinstance(token, str) or not 0 < len(token) <= MAX_LENGTH or not token.isprintable():
            raise web.HTTPBadRequest(text=_WRONG_BODY)
        if not isinstance(path, str) or len(path) > _MAX_PATH or _PATH.fullmatch(path) is None:
            raise web.HTTPBadRequest(text='"path" must be a path that ends with a slash.\n')
        if self._codes.redeem(token, self._clock.monotonic()) is None:
            self._operator.check(token, request)
        name = device_name(request.headers.get(hdrs.USER_AGENT, ""))
        browser, secret = self._browsers.sign_in(name, self._operator.token)
        self._log.info("owner", f"owner: {name} at {request[CALLER].address} signed in")
        response = json_response({"owner": True, "secure": request[CALLER].secure, "name": name, "browser": browser.id})
        response.set_cookie(
            self._operator.cookie,
            secret,
            max_age=LIFETIME,
            path=path,
            httponly=True,
            samesite="Strict",
            secure=request[CALLER].secure,
        )
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """Sign this browser out."""
        operator = self._operator.require(request)
        return self._sign_out(operator, operator.browser)

    async def list(self, request: web.Request) -> web.Response:
        """List the signed-in browsers, the last seen first."""
        operator = self._operator.require(request)
        browsers = [_public(browser, operator.browser) for browser in self._browsers.all(self._operator.token)]
        return json_response({"browsers": browsers})

    async def sign_out_one(self, request: web.Request) -> web.Response:
        """Sign out the browser with this id."""
        operator, browser = self._operator.require(request), request.match_info["id"]
        if browser not in {known.id for known in self._browsers.all(self._operator.token)}:
            raise web.HTTPNotFound(text="There is no such browser.\n")
        return self._sign_out(operator, browser)

    async def sign_out_all(self, request: web.Request) -> web.Response:
        """Sign out all browsers."""
        operator = self._operator.require(request)
        return self._sign_out(operator, *(browser.id for browser in self._browsers.all(self._operator.token)))

    async def code(self, request: web.Request) -> web.Response:
        """Return a code, with which another browser can sign in once."""
        operator = self._operator.require(request)
        self._log.info("owner", f"{operator} requested a code to sign in")
        return json_response({"code": self.issue_code(), "seconds": int(CODE_LIFETIME)})

    def _sign_out(self, operator: Operator, *ids: str) -> web.Response:
        count = self._browsers.sign_out(*ids)
        self._log.info("owner", f"{operator} signed out {count} browser{'s' * (count != 1)}")
        return json_response({"signed_out": count})


def _public(browser: Browser, own: str) -> dict[str, Any]:
    """Return what the owner sees of a browser; `own` is the id of the one that asks."""
    shown = asdict(browser)
    del shown["digest"], shown["token"]
    return {**shown, "this": browser.id == own}
