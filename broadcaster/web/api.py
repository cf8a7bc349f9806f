"""The HTTP API: `GET /api/status`, `POST /api/live`, `GET /healthz`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import hdrs, web

from broadcaster.figures import Capacity
from broadcaster.ports import Clock, LiveControl
from broadcaster.signaling.budget import TokenAttempts
from broadcaster.signaling.replies import stream_fields
from broadcaster.signaling.words import StreamState
from broadcaster.web import access
from broadcaster.web.log import OutsideLog
from broadcaster.web.viewers import Viewers

_BODY_TIMEOUT = 5.0
"""Seconds for a request's body."""


class Api:
    """What controls and monitors ask over HTTP; Host was checked before, and Origin where it matters."""

    def __init__(
        self,
        viewers: Viewers,
        live: LiveControl,
        operator_token: str,
        clock: Clock,
        version: str,
        capacity: Callable[[], Capacity],
        log: OutsideLog,
    ) -> None:
        self._capacity = capacity
        self._viewers = viewers
        self._live = live
        self._operator_token = operator_token
        self._clock = clock
        self._version = version
        self._log = log
        self._attempts = TokenAttempts()
        self._started = clock.monotonic()

    async def status(self, request: web.Request) -> web.Response:
        """What is going on; figures of each viewer only for the operator."""
        report = asdict(self._live.report())
        answer: dict[str, Any] = {
            "stream": stream_fields(self._live.status),
            "viewers": len(self._viewers),
            "limit": self._viewers.limit,
            "uptime": round(self._clock.monotonic() - self._started, 3),
            "source": report.pop("video_source"),
            "encoder": report.pop("encoder"),
            **report,
            "capacity": asdict(self._capacity()),
            "version": self._version,
        }
        if self._is_operator(request):
            answer["viewer_figures"] = self._viewers.figures()
        return _json(answer)

    async def live(self, request: web.Request) -> web.Response:
        """Start or stop: the same event as the button."""
        if not self._is_operator(request):
            raise self._not_the_operator()
        wanted = await self._read_wish(request)
        self._log.info("live", f"{access.plain_address(request.remote)} asks to {'start' if wanted else 'stop'}")
        refused = self._live.want(wanted)
        if refused is not None:
            return _json({"reason": refused}, status=409)
        return _json({"live": wanted, "stream": stream_fields(self._live.status)})

    async def health(self, request: web.Request) -> web.Response:
        """Whether the daemon does its job; being offline on purpose is a part of it."""
        status = self._live.status
        if status.state is StreamState.FAILED:
            return _json({"ok": False, "reason": status.reason}, status=503)
        return _json({"ok": True, "state": status.state})

    def _is_operator(self, request: web.Request) -> bool:
        """Whether this is the operator. Raises HTTP errors for a wrong token."""
        address = access.plain_address(request.remote)
        if not self._operator_token:
            return access.is_local_request(address, request.headers.get(hdrs.HOST, ""), request.headers)
        token = access.bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        if token is None:
            return False
        self._check_token(token, access.networks(address))
        return True

    def _check_token(self, token: str, places: tuple[str, ...]) -> None:
        now = self._clock.monotonic()
        if self._attempts.must_wait(places, now) or self._attempts.strangers_must_wait(places, now):
            raise web.HTTPTooManyRequests(text="Too many wrong tokens. Wait a minute.\n")
        if not access.is_token(token, self._operator_token):
            self._attempts.wrong(places, now)
            raise _unauthorized("The token is wrong.\n")
        self._attempts.right(places)

    def _not_the_operator(self) -> web.HTTPException:
        if self._operator_token:
            return _unauthorized("Authorization: Bearer with web.operator_token is needed.\n")
        return web.HTTPForbidden(
            text="Without web.operator_token this works only on the machine itself, as http://localhost.\n"
        )

    async def _read_wish(self, request: web.Request) -> bool:
        """Read `{"live": …}`. Raises HTTP errors."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="Content-Type: application/json is needed.\n")
        try:
            async with asyncio.timeout(_BODY_TIMEOUT):
                body = json.loads(await request.read())
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("live"), bool):
            raise web.HTTPBadRequest(text='{"live": true} or {"live": false} is needed.\n')
        return bool(body["live"])


def _json(answer: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(answer, status=status, headers={hdrs.CACHE_CONTROL: "no-store"})


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
