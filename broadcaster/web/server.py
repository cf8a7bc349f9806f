"""The web server: builds the routes, guards them, and serves them until it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiohttp import web

from broadcaster.errors import BroadcasterError
from broadcaster.model.stats import Capacity
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.settings import WebSettings
from broadcaster.signaling.protocol import Timings
from broadcaster.storage.secrets import StateSecrets
from broadcaster.web import access
from broadcaster.web.accept import Acceptor, Room
from broadcaster.web.api import Api
from broadcaster.web.certificate import Certificate
from broadcaster.web.endpoint import Endpoint
from broadcaster.web.http_log import http_logger
from broadcaster.web.listen import describe, open_listeners
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.page import Page, viewer_folder
from broadcaster.web.proxies import Proxies
from broadcaster.web.request_guard import RequestGuard
from broadcaster.web.viewer_auth import ViewerAuth
from broadcaster.web.viewers import Viewers

log = logging.getLogger(__name__)

_LARGEST_BODY = 4096
_CLOSING = 1.0
"""Seconds that whoever is being served has at the end."""
_LOOK_INTERVAL = 2.0
"""Seconds between two looks at the files that somebody may change."""

_LONGEST_LINE = 16 * 1024
"""Bytes of a request line or a header: browsers send the cookies of all programs on a host, whatever their port."""


class WebServer:
    """The page, the signaling and the API on one port."""

    def __init__(
        self,
        settings: WebSettings,
        peers: PeerFactory,
        live: StreamControl,
        clock: Clock,
        version: str,
        capacity: Callable[[], Capacity],
        timings: Timings | None = None,
        secrets: StateSecrets | None = None,
    ) -> None:
        timings = timings or Timings()
        self._settings = settings
        self._proxies = Proxies(settings.trusted_proxies)
        self._certificate = Certificate(settings.certificate, settings.key) if settings.certificate else None
        self._log = RateLimitedLogger(log, clock)
        self._guard = RequestGuard(settings, self._proxies, self._log, self._certificate_names)
        self._viewers = Viewers(settings.max_viewers, peers, live, clock, timings, self._log)
        link_key = secrets.link_key if secrets is not None and settings.links else None
        self._door = ViewerAuth(settings.viewer_token, link_key, clock, self._log)
        self._endpoint = Endpoint(self._viewers, self._door, clock, timings, self._log)
        made = None if secrets is None else secrets.operator_token
        self._operator = OperatorAuth(settings.operator_token, made, clock, self._log)
        private = not self._door.is_open
        self._api = Api(self._viewers, live, self._operator, clock, version, capacity, self._log, private=private)
        self._runner: web.AppRunner | None = None
        self._acceptor: Acceptor | None = None
        self._watching: asyncio.Task[None] | None = None
        self._port = settings.port

    @property
    def port(self) -> int:
        """The port that is listened on; with `web.port` 0 it is known after `start`."""
        return self._port

    @property
    def viewers(self) -> int:
        """How many sessions are open."""
        return len(self._viewers)

    def watch_viewers(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with the number of sessions when it has changed, at most once a second."""
        self._viewers.watch(listener)

    def refuse_newcomers(self, refused: bool) -> None:
        """Tell newcomers that the house is full, whatever the limit."""
        self._viewers.sessions.refuses_newcomers = refused

    async def start(self) -> None:
        """Listen and serve. Raises `BroadcasterError` when the port cannot be had, or the certificate not be used."""
        tls = None if self._certificate is None else self._certificate.load()
        self._guard.look_up_names()
        self._door.look()
        self._operator.look()
        listeners = await open_listeners(self._settings.host, self._settings.port)
        self._port = listeners[0].getsockname()[1]
        log.info("listening on %s", describe(listeners, self._settings.host))
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=http_logger(self._log),
            handler_cancellation=True,
            keepalive_timeout=5,
            shutdown_timeout=_CLOSING / 2,
            lingering_time=_CLOSING,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=64,
            auto_decompress=False,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        room = Room(self._settings.max_viewers, self._is_own)
        self._acceptor = Acceptor(listeners, self._runner.server, tls, room, self._log, self._guard.is_own_host)
        self._acceptor.start()
        self._viewers.start()
        self._watching = asyncio.create_task(self._watch_files(), name="web files")

    def reload(self, settings: WebSettings) -> None:
        """Use other `web.hosts` and `web.origins`, and read the files of tokens and certificate now."""
        self._guard.use(settings)
        self._read_files()

    async def close(self) -> None:
        """Say goodbye to every viewer and stop serving, all within 2 s; idempotent."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._acceptor is not None:
            await self._acceptor.close()
        self._endpoint.close()
        try:
            async with asyncio.timeout(_CLOSING):
                await self._viewers.close()
        except TimeoutError:
            log.warning("viewers were still there %g s after the goodbye", _CLOSING)
        await runner.cleanup()

    def _certificate_names(self) -> tuple[str, ...]:
        return () if self._certificate is None else self._certificate.names

    async def _watch_files(self) -> None:
        """See for ever whether something has changed that was read at start."""
        while True:
            await asyncio.sleep(_LOOK_INTERVAL)
            self._guard.look_up_names()
            self._read_files()

    def _read_files(self) -> None:
        self._operator.look()
        if self._door.look():
            log.info("another key for links: those of before do not count any more")
            self._viewers.end_links()
        if self._certificate is not None:
            _look_at(self._certificate)

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._guard.check])
        page = Page(viewer_folder())
        app.router.add_get("/", page.index)
        app.router.add_get("/viewer/{path:.+}", page.file)
        app.router.add_get("/ws", self._endpoint.handle, allow_head=False)
        app.router.add_get("/api/status", self._api.status)
        app.router.add_post("/api/live", self._api.live)
        app.router.add_get("/healthz", self._api.health)
        app.on_response_prepare.append(self._guard.add_headers)
        return app

    def _is_own(self, address: str) -> bool:
        """Whether this address is this machine's, or a proxy's of ours: many people may come from there."""
        return access.is_loopback(address) or self._proxies.is_trusted(address)


def _look_at(certificate: Certificate) -> None:
    """Take a renewed certificate; with one that cannot be used nobody would come in, so that of before stays."""
    try:
        if certificate.look():
            log.info("the certificate was renewed")
    except BroadcasterError as error:
        log.warning("the new certificate cannot be used, and that of before stays: %s", error)
