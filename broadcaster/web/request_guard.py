"""Guards every request: it must name a host that is ours, and pages of other origins are refused what could do harm."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from aiohttp import HttpVersion11, hdrs, web

from broadcaster.rate_limited_log import RateLimitedLogger, quoted
from broadcaster.settings import WebSettings
from broadcaster.web import access
from broadcaster.web.page import page_headers
from broadcaster.web.proxies import CALLER, Caller, Proxies

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FORWARDED_FOR, _FORWARDED_PROTO = "X-Forwarded-For", "X-Forwarded-Proto"
_GUARDED_BY_ORIGIN = ("/ws", "/api/live")
_HOSTNAME_FILE = Path("/etc/hostname")
_LONGEST_NAME = 255


class RequestGuard:
    """Checks `Host` and `Origin`, finds out who asks, and adds the headers that every answer has."""

    def __init__(
        self,
        settings: WebSettings,
        proxies: Proxies,
        log: RateLimitedLogger,
        more_names: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`more_names` gives the names of the certificate, which its owner has proven to be this machine's."""
        self._settings = settings
        self._more_names = more_names
        self._proxies = proxies
        self._log = log
        self.look_up_names()

    def use(self, settings: WebSettings) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self.look_up_names()

    def look_up_names(self) -> None:
        """Ask the system for its names again: a host may be renamed while the daemon runs."""
        self._names = access.own_names(system_names(), [*self._settings.hosts, *self._more_names()])

    def is_own_host(self, host: str) -> bool:
        """Whether a `Host` header means this machine."""
        return access.own_host(host, self._names) is not None

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a Host that is not ours (DNS rebinding), and pages of other origins. Raises HTTP errors."""
        caller = request[CALLER] = self._caller(request)
        self._check_host(request, caller)
        self._check_origin(request, caller)
        return await handler(request)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the page's headers (`Application.on_response_prepare`)."""
        response.headers.update(page_headers(self._own_host(request), self._settings.origins))
        response.headers[hdrs.SERVER] = "broadcaster"

    def _check_host(self, request: web.Request, caller: Caller) -> None:
        """Allow requests that name no host where HTTP allows that (1.0): those of health checks, never a browser's."""
        hosts = request.headers.getall(hdrs.HOST, [])
        if not hosts and request.version < HttpVersion11:
            return
        if not hosts:
            raise web.HTTPBadRequest(text="Host is missing (RFC 9112 §3.2).\n")
        if self._own_host(request) is None:
            self._log.info("host", f"refused {caller.address}: Host {quoted(hosts[0])} is not in web.hosts")
            raise web.HTTPMisdirectedRequest(
                text="This machine does not answer to that name. Its owner can add it to web.hosts.\n"
            )

    def _check_origin(self, request: web.Request, caller: Caller) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or request.path not in _GUARDED_BY_ORIGIN:
            return
        host = self._own_host(request) or ""
        if not access.is_allowed_origin(origin, host, self._settings.origins):
            hint = _proxy_hint(origin, host)
            self._log.info("origin", f"refused {caller.address}: Origin {quoted(origin)} is not in web.origins{hint}")
            raise web.HTTPForbidden(text="Pages of that origin may not use this; web.origins lists who may.\n")

    def _caller(self, request: web.Request) -> Caller:
        """Who asks, behind whatever proxies."""
        said_for, said_proto = (request.headers.getall(name, []) for name in (_FORWARDED_FOR, _FORWARDED_PROTO))
        return self._proxies.caller(request.remote or "", said_for, said_proto, secure=request.secure)

    def _own_host(self, request: web.Request) -> str | None:
        """The request's Host in ASCII, if it is one of ours."""
        hosts = request.headers.getall(hdrs.HOST, [])
        return access.own_host(hosts[0], self._names) if len(hosts) == 1 else None


def system_names() -> frozenset[str]:
    """The names that this machine has now.

    The kernel's is not enough: a service with `ProtectHostname=` does not see it change (systemd.exec(5)).
    """
    try:
        with _HOSTNAME_FILE.open(encoding="utf-8", errors="replace") as file:
            named = file.read(_LONGEST_NAME).strip()
    except OSError:
        named = ""
    return frozenset({socket.gethostname(), named})


def _proxy_hint(origin: str, host: str) -> str:
    """Say what is wrong with a proxy that passes `Host` on without the port that browsers see."""
    if access.same_name(origin, host):
        return f"; a proxy in front must pass Host on with its port, and not as {host} (nginx: $http_host)"
    return ""
