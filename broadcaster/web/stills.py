"""`GET /snapshot.jpg` and `GET /stream.mjpeg`: the stream as pictures, for programs that show nothing else."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NoReturn

from aiohttp import hdrs, web

from broadcaster.auth.links import Grant
from broadcaster.outputs.stills import Keyframe, NoStill, Stills
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import Refusal
from broadcaster.signaling.protocol import ErrorCode
from broadcaster.web.mjpeg import MjpegClient
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.proxies import CALLER
from broadcaster.web.viewer_auth import ViewerAuth
from broadcaster.web.viewers import Viewers
from broadcaster.web.whep_requests import token_of

MAX_CLIENTS = 10
"""Clients of `/stream.mjpeg` at the same time."""

_RETRY_OFFLINE, _RETRY_FULL, _RETRY_TOO_MANY = 5, 15, 60
"""Seconds in `Retry-After`, as for players (WHEP)."""


class StillsEndpoint:
    """Handlers; viewers need the same token or link as for watching."""

    def __init__(
        self,
        stills: Stills,
        viewers: Viewers,
        auth: ViewerAuth,
        operator: OperatorAuth,
        clock: Clock,
        log: RateLimitedLogger,
    ) -> None:
        self._stills = stills
        self._viewers = viewers
        self._auth = auth
        self._operator = operator
        self._clock = clock
        self._log = log
        self._clients: set[MjpegClient] = set()
        self._etag_prefix = secrets.token_hex(4)  # keyframes are numbered from 1 after each start

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_get("/snapshot.jpg", self.snapshot)
        router.add_get("/stream.mjpeg", self.stream, allow_head=False)

    def report(self) -> dict[str, int]:
        """Return how many clients get MJPEG now, for the operator's status."""
        return {"mjpeg_clients": len(self._clients)}

    def end_links(self, link: str | None = None) -> None:
        """End the streams of viewers who were admitted by this link, or by any if all are revoked (None)."""
        for client in self._clients:
            if client.grant.by_link and link in (None, client.grant.link):
                client.end()

    def close(self) -> None:
        """End all streams."""
        for client in self._clients:
            client.end()

    async def snapshot(self, request: web.Request) -> web.StreamResponse:
        """Send the last keyframe; with `?fresh`, for the operator, one that is made now."""
        if "fresh" in request.query:
            self._operator.require(request)
            self._require_live()
            keyframe = await self._stills.fresh()
        else:
            self._admit(request)
            self._require_live()
            keyframe = self._stills.last
        if keyframe is None:
            raise _unavailable("there is no picture yet", _RETRY_OFFLINE)
        headers = self._headers(keyframe)
        if self._is_known(request, keyframe):
            return web.Response(status=304, headers=headers)
        try:
            body = await self._stills.jpeg(keyframe)
        except NoStill as error:
            raise _unavailable(str(error), _RETRY_OFFLINE) from error
        return web.Response(body=body, content_type="image/jpeg", headers=headers)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send each keyframe until the stream ends, or the client leaves."""
        grant = self._admit(request)
        self._require_live()
        self._check_place()
        client = MjpegClient(request, self._stills, grant, self._clock)
        self._clients.add(client)
        self._log.info("mjpeg", f"MJPEG: {request[CALLER].address} connected; {len(self._clients)} clients")
        try:
            return await client.serve()
        finally:
            self._clients.discard(client)

    def _admit(self, request: web.Request) -> Grant:
        """Return the grant of the token in the request. Raises HTTP errors."""
        try:
            return self._auth.admit(token_of(request), request[CALLER].address)
        except Refusal as refusal:
            self._refuse(request[CALLER].address, refusal)

    def _refuse(self, address: str, refusal: Refusal) -> NoReturn:
        """Raise an HTTP error."""
        self._log.info("stills", f"refused stills to {address}: {refusal}")
        if refusal.error.code == ErrorCode.TOO_MANY:
            headers = {hdrs.RETRY_AFTER: str(_RETRY_TOO_MANY)}
            raise web.HTTPTooManyRequests(text=f"{refusal}\n", headers=headers)
        raise web.HTTPUnauthorized(text=f"{refusal}\n", headers={hdrs.WWW_AUTHENTICATE: "Bearer"})

    def _require_live(self) -> None:
        if not self._stills.is_live:
            raise _unavailable("the stream is not live", _RETRY_OFFLINE)

    def _check_place(self) -> None:
        try:
            self._viewers.sessions.check_overload()
        except Refusal as refusal:
            raise _unavailable(str(refusal), _RETRY_FULL) from refusal
        if len(self._clients) >= MAX_CLIENTS:
            raise _unavailable(f"the limit of {MAX_CLIENTS} MJPEG clients is reached", _RETRY_FULL)

    def _headers(self, keyframe: Keyframe) -> dict[str, str]:
        published = datetime.fromtimestamp(int(keyframe.published), UTC)
        return {
            hdrs.CACHE_CONTROL: "private, no-cache",
            hdrs.ETAG: f'"{self._etag(keyframe)}"',
            hdrs.LAST_MODIFIED: format_datetime(published, usegmt=True),
        }

    def _etag(self, keyframe: Keyframe) -> str:
        return f"{self._etag_prefix}-{keyframe.number:x}"

    def _is_known(self, request: web.Request, keyframe: Keyframe) -> bool:
        """Return whether the client has this picture (RFC 9110 §13.2.2)."""
        if (tags := request.if_none_match) is not None:
            return any(tag.value in (self._etag(keyframe), "*") for tag in tags)
        since = request.if_modified_since
        return since is not None and int(keyframe.published) <= since.timestamp()


def _unavailable(why: str, retry_after: int) -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text=f"{why}\n", headers={hdrs.RETRY_AFTER: str(retry_after)})
