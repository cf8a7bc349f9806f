"""Checks of every request: it must name a host of this machine, and other origins must not use signaling or control."""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from aiohttp import HttpVersion11, hdrs, web

from broadcaster.rate_limited_log import RateLimitedLogger, quoted
from broadcaster.settings import WebSettings
from broadcaster.web import access
from broadcaster.web.page import INLINE_SOURCES, InlineSources, page_headers
from broadcaster.web.proxies import CALLER, Caller, Proxies

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FORWARDED_FOR, _FORWARDED_PROTO = "X-Forwarded-For", "X-Forwarded-Proto"
_ORIGIN_CHECKED = re.compile(r"/ws|/media|/api/(live|record|recordings/.*|owner/.*)|/whep(/.*)?")
_SAFE_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)
_OWNERS_PAGES = re.compile(r"/(owner|recordings)(/.*)?")
_HOSTNAME_FILE = Path("/etc/hostname")
_MAX_NAME = 255


class RequestGuard:
    """Checks `Host` and `Origin`, determines the caller, and adds the headers of every response."""

    def __init__(
        self,
        settings: WebSettings,
        proxies: Proxies,
        log: RateLimitedLogger,
        certificate_names: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`certificate_names` returns the names in the TLS certificate, which are this machine's, too."""
        self._settings = settings
        self._certificate_names = certificate_names
        self._proxies = proxies
        self._log = log
        self.update_names()

    def apply(self, settings: WebSettings) -> None:
        """Use these settings from now on."""
        self._settings = settings
        self.update_names()

    def update_names(self) -> None:
        """Read the names of this machine again: it may be renamed while the daemon runs."""
        self._names = access.own_names(system_names(), [*self._settings.hosts, *self._certificate_names()])

    def is_own_host(self, host: str) -> bool:
        """Whether a `Host` header names this machine."""
        return access.own_host(host, self._names) is not None

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse unknown hosts (DNS rebinding) and pages of other origins. Raises HTTP errors."""
        caller = request[CALLER] = self._caller(request)
        self._check_host(request, caller)
        self._check_origin(request, caller)
        return await handler(request)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers of every response (`Application.on_response_prepare`)."""
        may_be_framed = _OWNERS_PAGES.fullmatch(request.path) is None
        origins = self._settings.origins if may_be_framed else None
        inline = request.get(INLINE_SOURCES, InlineSources())
        response.headers.update(page_headers(self._own_host(request), origins, inline))
        response.headers[hdrs.SERVER] = "broadcaster"

    def _check_host(self, request: web.Request, caller: Caller) -> None:
        """Check `Host`, which HTTP/1.0 allows to be absent: health checks use that, browsers never do."""
        hosts = request.headers.getall(hdrs.HOST, [])
        if not hosts and request.version < HttpVersion11:
            return
        if not hosts:
            raise web.HTTPBadRequest(text="The Host header is missing (RFC 9112 §3.2).\n")
        if self._own_host(request) is None:
            self._log.info("host", f"refused {caller.address}: Host {quoted(hosts[0])} is not in web.hosts")
            raise web.HTTPMisdirectedRequest(
                text="This machine does not answer to that name; its owner can add the name to web.hosts.\n"
            )

    def _check_origin(self, request: web.Request, caller: Caller) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return
        if request.method in _SAFE_METHODS and _ORIGIN_CHECKED.fullmatch(request.path) is None:
            return
        host = self._own_host(request) or ""
        if not access.is_allowed_origin(origin, host, self._settings.origins):
            hint = _proxy_hint(origin, host)
            self._log.info("origin", f"refused {caller.address}: Origin {quoted(origin)} is not in web.origins{hint}")
            raise web.HTTPForbidden(
                text="Pages of that origin are not allowed; this machine's owner can add it to web.origins.\n"
            )

    def _caller(self, request: web.Request) -> Caller:
        """Return the caller, taking proxies into account."""
        addresses, schemes = (request.headers.getall(name, []) for name in (_FORWARDED_FOR, _FORWARDED_PROTO))
        return self._proxies.caller(request.remote or "", addresses, schemes, secure=request.secure)

    def _own_host(self, request: web.Request) -> str | None:
        """Return the request's Host in ASCII if it names this machine."""
        hosts = request.headers.getall(hdrs.HOST, [])
        return access.own_host(hosts[0], self._names) if len(hosts) == 1 else None


def system_names() -> frozenset[str]:
    """Return the current names of this machine.

    The file is read because a service with `ProtectHostname=` does not see the kernel's name change (systemd.exec(5)).
    """
    try:
        with _HOSTNAME_FILE.open(encoding="utf-8", errors="replace") as file:
            static_name = file.read(_MAX_NAME).strip()
    except OSError:
        static_name = ""
    return frozenset({socket.gethostname(), static_name})


def _proxy_hint(origin: str, host: str) -> str:
    """Return a hint for a proxy that passes `Host` on without the port that browsers use; empty if that is not it."""
    if access.same_name(origin, host):
        return f"; a reverse proxy must pass Host on with its port, and not as {host} (nginx: $http_host)"
    return ""
