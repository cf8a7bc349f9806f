"""Builds the page, the signaling endpoint and the API from the settings, and routes requests to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from broadcaster.model.stats import Capacity
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.service.log_ring import installed_ring
from broadcaster.settings import WebSettings
from broadcaster.signaling.protocol import Timings
from broadcaster.storage.browsers import SignedInBrowsers
from broadcaster.storage.link_list import LinkList
from broadcaster.storage.secrets import SecretFile, StateSecrets
from broadcaster.web.api import Api
from broadcaster.web.api_errors import api_errors
from broadcaster.web.endpoint import Endpoint
from broadcaster.web.media import MediaEndpoint
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.owner.overview import Parts
from broadcaster.web.owner.owner_api import OwnerApi
from broadcaster.web.page import Page, viewer_folder
from broadcaster.web.players import Players
from broadcaster.web.proxies import Proxies
from broadcaster.web.record_api import RecordApi
from broadcaster.web.request_guard import Handler, RequestGuard
from broadcaster.web.station import Station
from broadcaster.web.viewer_auth import ViewerAuth
from broadcaster.web.viewers import Viewers
from broadcaster.web.whep import Whep

if TYPE_CHECKING:
    from broadcaster.outputs.stills import Stills
    from broadcaster.web.recording_routes import Archive, RecordingRoutes
    from broadcaster.web.stills import StillsEndpoint

log = logging.getLogger(__name__)

_MAX_BODY = 4096
_CLOSE_TIMEOUT = 1.0
"""Seconds for the viewers' peer connections to close."""


class Routes:
    """The request handlers, and what they share."""

    _stills: StillsEndpoint | None = None
    _recordings: RecordingRoutes | None = None
    _whep: Whep | None = None

    def __init__(
        self,
        settings: WebSettings,
        peers: PeerFactory,
        stream: StreamControl,
        clock: Clock,
        version: str,
        capacity: Callable[[], Capacity],
        timings: Timings,
        secrets: StateSecrets | None,
        certificate_names: Callable[[], tuple[str, ...]],
        request_log: RateLimitedLogger,
        media: MuxedStream | None,
    ) -> None:
        """`certificate_names` returns the host names in the TLS certificate; `media` is what `/media` sends."""
        self.proxies = Proxies(settings.trusted_proxies)
        self.guard = RequestGuard(settings, self.proxies, request_log, certificate_names)
        self.station = Station(_folder(secrets), stream, clock)
        over_web = media is not None
        self.viewers = Viewers(
            settings.max_viewers, peers, stream, clock, timings, request_log, self.station.object, media=over_web
        )
        link_key = secrets.link_key if secrets is not None and settings.links else None
        self._viewer_auth = ViewerAuth(settings.viewer_token, link_key, clock, request_log, LinkList(_folder(secrets)))
        self._endpoint = Endpoint(self.viewers, self._viewer_auth, clock, timings, request_log)
        self._media = None if media is None else MediaEndpoint(self.viewers, media, clock, timings, request_log)
        self._operator = _operator_auth(settings, secrets, clock, request_log)
        self._players = Players(self.viewers, peers, stream, clock, timings, request_log)
        if settings.whep:
            self._whep = Whep(self.viewers, self._players, self._viewer_auth, peers, stream, clock, request_log)
        private = not self._viewer_auth.is_open
        self.api = Api(
            self.viewers, self._players, stream, self._operator, clock, version, capacity, request_log, private=private
        )
        self.api.reports["link_key"] = lambda: self._viewer_auth.link_key_id
        self.record_api = RecordApi(stream, self._operator, request_log)
        self._secrets, self._capacity, self._clock, self._log = secrets, capacity, clock, request_log
        parts = Parts(stream, self.viewers, self._players, capacity, clock, installed_ring())
        self.owner = self._owner_api(parts, link_key, version, request_log)
        self._closing = False

    def set_stills(self, stills: Stills) -> StillsEndpoint:
        """Serve stills; nothing of this is loaded otherwise."""
        from broadcaster.web.stills import StillsEndpoint  # noqa: PLC0415

        self._stills = StillsEndpoint(stills, self.viewers, self._viewer_auth, self._operator, self._clock, self._log)
        return self._stills

    def set_archive(self, archive: Archive) -> None:
        """Serve these recordings; nothing of that is loaded without them."""
        from broadcaster.web.recording_routes import RecordingRoutes  # noqa: PLC0415

        self.record_api.has_recordings = True
        self._recordings = RecordingRoutes(
            archive,
            self._operator,
            self._viewer_auth,
            None if self._secrets is None else self._secrets.link_key,
            lambda: len(self.viewers),
            self._capacity,
            self._clock,
            self._log,
        )

    def application(self) -> web.Application:
        """Return the aiohttp application with all routes."""
        app = web.Application(
            client_max_size=_MAX_BODY, middlewares=[api_errors, self._refuse_while_closing, self.guard.check]
        )
        page = Page(viewer_folder())
        app.router.add_get("/", page.index)
        app.router.add_get("/recordings", page.recordings)
        app.router.add_get("/owner", page.owner)
        app.router.add_get("/viewer/{path:.+}", page.file)
        app.router.add_get("/ws", self._endpoint.handle, allow_head=False)
        if self._media is not None:
            app.router.add_get("/media", self._media.handle, allow_head=False)
        if self._whep is not None:
            self._whep.add_routes(app.router)
        if self._stills is not None:
            self._stills.add_routes(app.router)
        app.router.add_get("/api/status", self.api.status)
        app.router.add_post("/api/live", self.api.live)
        app.router.add_post("/api/record", self.record_api.record)
        if self._recordings is not None:
            self._recordings.add_routes(app.router)
        else:
            app.router.add_route("*", "/api/recordings{path:(/.*)?}", self.record_api.refuse)
        self.owner.add_routes(app.router)
        app.router.add_get("/healthz", self.api.health)
        app.on_response_prepare.append(self.guard.add_headers)
        return app

    def read_files(self) -> None:
        """Read the files of tokens and keys again; a new link key revokes all links."""
        self._operator.reload()
        if self._viewer_auth.reload():
            log.info("link key changed; existing links are revoked")
            self._end_links()
            if self._recordings is not None:
                self._recordings.revoke()

    def _owner_api(self, parts: Parts, link_key: SecretFile | None, version: str, log: RateLimitedLogger) -> OwnerApi:
        end_links, read_files = self._end_links, self.read_files
        return OwnerApi(self._operator, parts, self._viewer_auth, link_key, version, log, end_links, read_files)

    def _end_links(self, link: str | None = None) -> None:
        """End what viewers who were admitted by this link have now, or by any if all are revoked (None)."""
        self.viewers.end_links(link)
        self._players.end_links(link)
        if self._stills is not None:
            self._stills.end_links(link)

    def start(self) -> None:
        """Start announcing changes to viewers."""
        self.viewers.start()
        self._players.start()
        self.station.start()

    async def close(self) -> None:
        """Refuse requests and end all sessions, within a second; idempotent."""
        self._closing = True
        self._endpoint.close()
        self.owner.close()
        self.station.close()
        if self._media is not None:
            self._media.close()
        if self._stills is not None:
            self._stills.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._players.close()
                await self.viewers.close()
        except TimeoutError:
            log.warning("peer connections still open %g s after their sessions ended", _CLOSE_TIMEOUT)

    @web.middleware
    async def _refuse_while_closing(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._closing:
            raise web.HTTPServiceUnavailable(text="The daemon is shutting down.\n")
        return await handler(request)


def _operator_auth(
    settings: WebSettings, secrets: StateSecrets | None, clock: Clock, log: RateLimitedLogger
) -> OperatorAuth:
    token_file = None if secrets is None else secrets.operator_token
    browsers = SignedInBrowsers(_folder(secrets), clock)
    cookie = f"broadcaster_owner_{settings.port}"  # browsers share cookies between the ports of a host
    return OperatorAuth(settings.operator_token, token_file, clock, log, browsers, cookie)


def _folder(secrets: StateSecrets | None) -> Path | None:
    """Return the state folder; None if nothing is stored."""
    return None if secrets is None else secrets.folder
