"""The HTTP API: `GET /api/status`, `POST /api/live`, `GET /healthz`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import hdrs, web
from msgspec import to_builtins

from broadcaster.model.stats import Capacity
from broadcaster.model.stream import StreamState
from broadcaster.ports import Clock, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import stream_object
from broadcaster.web.bodies import read_body
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.players import Players
from broadcaster.web.proxies import CALLER
from broadcaster.web.viewers import Viewers


class Api:
    """Handlers for control and monitoring over HTTP; `RequestGuard` has checked Host and Origin."""

    def __init__(
        self,
        viewers: Viewers,
        players: Players,
        stream: StreamControl,
        operator: OperatorAuth,
        clock: Clock,
        version: str,
        capacity: Callable[[], Capacity],
        log: RateLimitedLogger,
        *,
        private: bool,
    ) -> None:
        """`private`: viewers need a token or a link."""
        self.reports: dict[str, Callable[[], object]] = {}
        self._private = private
        self._capacity = capacity
        self._viewers = viewers
        self._players = players
        self._stream = stream
        self._operator = operator
        self._clock = clock
        self._version = version
        self._log = log
        self._started = clock.monotonic()

    async def status(self, request: web.Request) -> web.Response:
        """Report stream, viewers and load.

        Only the operator gets stats of each viewer; of a private stream, others get only the state.
        """
        is_operator = self._operator.is_operator(request)
        if self._private and not is_operator:
            return json_response({"stream": {"state": self._stream.status.state}, "private": True})
        report = asdict(self._stream.report())
        failure = {name: report.pop(name) for name in ("opening", "problem")}
        answer: dict[str, Any] = {
            "stream": to_builtins(stream_object(self._stream.status)),
            "private": self._private,
            "viewers": len(self._viewers),
            "limit": self._viewers.sessions.limit,
            "uptime": round(self._clock.monotonic() - self._started, 3),
            "source": report.pop("video_source"),
            "encoder": report.pop("encoder"),
            **report,
            "capacity": asdict(self._capacity()),
            "version": self._version,
        }
        if is_operator:
            answer |= failure
            answer["viewer_figures"] = [*self._viewers.stats(), *self._players.stats()]
            answer |= {name: to_builtins(report()) for name, report in self.reports.items()}
        return json_response(answer)

    async def live(self, request: web.Request) -> web.Response:
        """Start or stop the stream, as the button does."""
        operator = self._operator.require(request)
        requested = await self._read_live(request)
        self._log.info("live", f"{operator} at {request[CALLER].address} requested {'start' if requested else 'stop'}")
        self._stream.set_live(requested)
        report, stream = self._stream.report(), to_builtins(stream_object(self._stream.status))
        return json_response(
            {"live": requested, "stream": stream, "opening": report.opening, "problem": report.problem}
        )

    async def health(self, request: web.Request) -> web.Response:
        """Report whether the daemon works; being offline intentionally is healthy."""
        status = self._stream.status
        if status.state is StreamState.FAILED:
            return json_response({"ok": False, "reason": status.reason}, status=503)
        return json_response({"ok": True, "state": status.state})

    async def _read_live(self, request: web.Request) -> bool:
        """Return the value in the body `{"live": …}`. Raises HTTP errors."""
        body = await read_object(request)
        if not isinstance(body.get("live"), bool):
            raise web.HTTPBadRequest(text='The body must be {"live": true} or {"live": false}.\n')
        return bool(body["live"])


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the JSON object in the body, an empty one for anything else. Raises HTTP errors."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="The body must be JSON: send Content-Type: application/json.\n")
    try:
        body = json.loads(await read_body(request, request.client_max_size))
    except (ValueError, RecursionError):
        body = None
    return body if isinstance(body, dict) else {}


def json_response(answer: dict[str, Any], status: int = 200) -> web.Response:
    """Return a response that is not cached."""
    return web.json_response(answer, status=status, headers={hdrs.CACHE_CONTROL: "no-store"})
