"""`/api/owner/links` and `/api/owner/qr`: viewer links are made, listed and ended, and shown as QR codes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import segno
from aiohttp import web

from broadcaster.auth.links import EARLIEST_CLOCK, MAX_LIFETIME, MAX_NAME_LENGTH, Link, is_name, link_id, sign_link
from broadcaster.errors import BroadcasterError
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger, quoted
from broadcaster.storage.secrets import SecretFile
from broadcaster.web.api import json_response, read_object
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.viewer_auth import ViewerAuth

_MAX_QR = 500
"""Characters of a link in a QR code: a phone must be able to read it from a screen."""


class LinksApi:
    """Handlers for viewer links; `key` is the file of their key, None if the daemon accepts no links."""

    def __init__(
        self,
        operator: OperatorAuth,
        auth: ViewerAuth,
        key: SecretFile | None,
        clock: Clock,
        log: RateLimitedLogger,
        end_sessions: Callable[[str], None],
        read_files: Callable[[], None],
    ) -> None:
        """`end_sessions` ends those of a link; `read_files` notices a new key, which ends those of all links."""
        self._operator = operator
        self._auth = auth
        self._key = key
        self._clock = clock
        self._log = log
        self._end_sessions = end_sessions
        self._read_files = read_files

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_get("/api/owner/links", self.list)
        router.add_post("/api/owner/links", self.make)
        router.add_delete("/api/owner/links", self.end_all)
        router.add_delete("/api/owner/links/{id}", self.end)
        router.add_post("/api/owner/qr", self.qr)
        router.add_get("/api/owner/preview", self.preview)

    async def list(self, request: web.Request) -> web.Response:
        """List the valid links that were made here or used, the newest last."""
        self._operator.require(request)
        links = self._auth.links.valid(self._clock.unix()) if self._key is not None else {}
        shown = [self._shown(id, link) for id, link in links.items()]
        return json_response({"needed": self._key is not None, "links": shown})

    async def make(self, request: web.Request) -> web.Response:
        """Make a link with a name, for some hours."""
        operator, key = self._operator.require(request), self._required_key()
        body = await read_object(request)
        name, hours = body.get("name", ""), body.get("hours")
        if not isinstance(name, str) or not is_name(name):
            raise web.HTTPBadRequest(text=f'"name" must be at most {MAX_NAME_LENGTH} printable characters.\n')
        if isinstance(hours, bool) or not isinstance(hours, int | float) or not 1 <= hours * 3600 <= MAX_LIFETIME:
            raise web.HTTPBadRequest(text=f'"hours" must be a number up to {MAX_LIFETIME // 3600}.\n')
        unix = self._clock.unix()
        if unix < EARLIEST_CLOCK:
            raise web.HTTPConflict(text="This machine's clock was never set, so the link would not end in time.\n")
        link = Link(name, int(unix), round(hours * 3600))
        id = link_id(link, key)
        self._auth.links.add(id, link)
        self._log.info("owner", f"{operator} made a link for {quoted(name) or 'any viewer'}, valid for {hours:g} h")
        return json_response(self._shown(id, link))

    async def end(self, request: web.Request) -> web.Response:
        """End one link, and the sessions of its viewers."""
        operator, id = self._operator.require(request), request.match_info["id"]
        link = self._auth.links.valid(self._clock.unix()).get(id)
        if link is None:
            raise web.HTTPNotFound(text="There is no such link.\n")
        self._auth.links.end(id)
        self._end_sessions(id)
        self._log.info("owner", f"{operator} ended the link of {quoted(link.name) or 'any viewer'}")
        return json_response({"ended": [id]})

    async def end_all(self, request: web.Request) -> web.Response:
        """End all links, also those that are not in the list, by a new key."""
        operator = self._operator.require(request)
        self._required_key()
        assert self._key is not None
        ended = list(self._auth.links.valid(self._clock.unix()))
        try:
            self._key.renew()
        except BroadcasterError as error:
            raise web.HTTPConflict(text=f"The links cannot be ended: {error}.\n") from error
        self._log.info("owner", f"{operator} ended all links")
        self._read_files()
        return json_response({"ended": ended})

    async def qr(self, request: web.Request) -> web.Response:
        """Return a QR code of a link (ISO/IEC 18004) as the path of an SVG picture, without its quiet zone."""
        self._operator.require(request)
        text = (await read_object(request)).get("text")
        if not isinstance(text, str) or not 0 < len(text) <= _MAX_QR or not text.isascii():
            raise web.HTTPBadRequest(text='"text" must be a link of ASCII characters.\n')
        code = segno.make_qr(text)
        picture = io.StringIO()
        for y, row in enumerate(code.matrix):
            picture.write("".join(f"M{x} {y}h1v1h-1z" for x, dark in enumerate(row) if dark))
        return json_response({"size": len(code.matrix), "path": picture.getvalue()})

    async def preview(self, request: web.Request) -> web.Response:
        """Return a token with which the owner's own page can watch; empty if none is needed."""
        operator = self._operator.require(request)
        return json_response({"token": self._auth.preview_token(operator.name[:MAX_NAME_LENGTH])})

    def _required_key(self) -> str:
        """Return the key. Raises HTTP errors if the daemon accepts no links."""
        if not self._auth.link_key:
            raise web.HTTPConflict(text="The daemon accepts no viewer links; set web.links, and restart it.\n")
        return self._auth.link_key

    def _shown(self, id: str, link: Link) -> dict[str, Any]:
        """Return a link as the owner sees it; `token` goes into the fragment of the page's address."""
        return {
            "id": id,
            "name": link.name,
            "made": link.created,
            "expires": link.created + link.seconds,
            "token": sign_link(link, self._auth.link_key),
        }
