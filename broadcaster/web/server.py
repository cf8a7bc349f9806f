"""The web server: listens and serves the routes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import http_exceptions, web

from broadcaster.errors import BroadcasterError
from broadcaster.model.stats import Capacity
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.settings import StationSettings, WebSettings
from broadcaster.signaling.protocol import Timings
from broadcaster.storage.secrets import StateSecrets
from broadcaster.web.accept import Acceptor, ConnectionSlots
from broadcaster.web.certificate import Certificate
from broadcaster.web.listen import describe, open_listeners
from broadcaster.web.owner.overview import Parts
from broadcaster.web.routes import Routes

if TYPE_CHECKING:
    from broadcaster.outputs.stills import Stills
    from broadcaster.ports.recording import RecorderControl
    from broadcaster.web.recording_routes import Archive

log = logging.getLogger(__name__)

_SHUTDOWN_TIMEOUT = 1.0
"""Seconds for requests in progress to finish at shutdown."""
_RELOAD_INTERVAL = 2.0
"""Seconds between checks for changed files and host names."""

_MAX_LINE = 16 * 1024
"""Bytes of a request line or header: browsers send the cookies of all servers on a host, regardless of port."""


class WebServer:
    """Serves the routes on one port, with TLS if there is a certificate."""

    def __init__(
        self,
        settings: WebSettings,
        peers: PeerFactory,
        stream: StreamControl,
        clock: Clock,
        version: str,
        capacity: Callable[[], Capacity],
        timings: Timings | None = None,
        secrets: StateSecrets | None = None,
        media: MuxedStream | None = None,
    ) -> None:
        """`media` is what `/media` sends to viewers whom UDP does not reach; None: there is no such endpoint."""
        self._settings = settings
        self._certificate = Certificate(settings.certificate, settings.key) if settings.certificate else None
        self._log = RateLimitedLogger(log, clock)
        self._routes = Routes(
            settings,
            peers,
            stream,
            clock,
            version,
            capacity,
            timings or Timings(),
            secrets,
            self._certificate_names,
            self._log,
            media,
        )
        self._slots = ConnectionSlots(settings.max_viewers, self._routes.proxies.is_own)
        self._runner: web.AppRunner | None = None
        self._acceptor: Acceptor | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._port = settings.port

    @property
    def port(self) -> int:
        """The port; if `web.port` is 0, it is known after `start`."""
        return self._port

    @property
    def viewers(self) -> int:
        """The number of open sessions."""
        return len(self._routes.viewers)

    def watch_viewers(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with the number of open sessions when it changes, at most once per second."""
        self._routes.viewers.watch(listener)

    def add_report(self, name: str, report: Callable[[], object]) -> None:
        """Add a field of this name to the operator's status; what `report` returns is dataclasses, lists, values."""
        self._routes.api.reports[name] = report

    def set_archive(self, archive: Archive) -> None:
        """Serve these recordings; before `start`."""
        self._routes.set_archive(archive)

    def set_recorder(self, recorder: RecorderControl) -> None:
        """Let the operator control this recorder, and see its status."""
        self._routes.record_api.recorder = self._routes.owner.parts.recorder = recorder
        self.add_report("recorder", recorder.stats)

    @property
    def owner_parts(self) -> Parts:
        """What the owner's page shows and controls; the daemon adds what it builds."""
        return self._routes.owner.parts

    def issue_owner_code(self) -> str:
        """Return a code, with which a browser can sign in as the owner's once, within ten minutes."""
        return self._routes.owner.sign_in.issue_code()

    def set_stills(self, stills: Stills) -> None:
        """Serve stills, and MJPEG; call it before `start`."""
        self.add_report("stills", self._routes.set_stills(stills).report)

    def refuse_new_viewers(self, refused: bool) -> None:
        """Admit no new viewers while `refused`, regardless of the limit."""
        self._routes.viewers.sessions.refuses_new_viewers = refused

    async def start(self) -> None:
        """Start listening and serving. Raises `BroadcasterError` if the port or the certificate cannot be used."""
        tls = None if self._certificate is None else self._certificate.load()
        self._routes.guard.update_names()
        self._routes.read_files()
        listeners = await open_listeners(self._settings.host, self._settings.port)
        self._port = listeners[0].getsockname()[1]
        log.info("listening on %s", describe(listeners, self._settings.host))
        self._runner = web.AppRunner(
            self._routes.application(),
            access_log=None,
            logger=http_logger(self._log),
            handler_cancellation=True,
            keepalive_timeout=5,
            shutdown_timeout=_SHUTDOWN_TIMEOUT / 2,
            lingering_time=_SHUTDOWN_TIMEOUT,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
            max_headers=64,
            auto_decompress=False,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        is_own_host = self._routes.guard.is_own_host
        self._acceptor = Acceptor(listeners, self._runner.server, tls, self._slots, self._log, is_own_host)
        self._acceptor.start()
        self._routes.start()
        self._watcher = asyncio.create_task(self._watch_files(), name="web files")

    def reload(self, settings: WebSettings) -> bool:
        """Apply new `web.hosts` and `web.origins`, and read the files of tokens and certificate again."""
        self._routes.guard.apply(settings)
        self._read_files()
        return True

    def set_limit(self, viewers: int) -> bool:
        """Apply a new `web.max_viewers`; viewers that exceed it stay."""
        self._routes.viewers.set_limit(viewers)
        self._slots.allow(viewers)
        return True

    def set_station(self, station: StationSettings) -> bool:
        """Tell viewers this about the stream from now on."""
        self._routes.station.apply(station)
        return True

    async def close(self) -> None:
        """End all sessions and stop serving, within 2 s; idempotent."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self._acceptor is not None:
            await self._acceptor.close()
        await self._routes.close()
        await runner.cleanup()

    def _certificate_names(self) -> tuple[str, ...]:
        return () if self._certificate is None else self._certificate.names

    async def _watch_files(self) -> None:
        """Reload files and names that have changed, until cancelled."""
        while True:
            await asyncio.sleep(_RELOAD_INTERVAL)
            self._routes.guard.update_names()
            self._read_files()

    def _read_files(self) -> None:
        self._routes.read_files()
        if self._certificate is not None:
            _reload(self._certificate)


def _reload(certificate: Certificate) -> None:
    """Use a renewed certificate; keep the current one if the new one is invalid."""
    try:
        if certificate.reload_if_changed():
            log.info("certificate renewed")
    except BroadcasterError as error:
        log.warning("new certificate is invalid, keeping the current one: %s", error)


def http_logger(request_log: RateLimitedLogger) -> logging.Logger:
    """Return a logger for aiohttp's server that passes everything on to `request_log`.

    Of a malformed request only the kind of error is logged: aiohttp's messages quote what could not be parsed, which
    may be a cookie, a token or a password.
    """

    def pass_on(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, http_exceptions.HttpProcessingError):
            request_log.info("http", f"refused a malformed request ({type(error).__name__})")
        elif not isinstance(error, ConnectionError):  # the client is gone, which is not worth a log line
            request_log.error("http server", record.getMessage(), error)
        return False

    logger = logging.Logger("broadcaster.web.http", logging.WARNING)
    logger.addFilter(pass_on)
    return logger
