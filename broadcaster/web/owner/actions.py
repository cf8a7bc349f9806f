"""What the owner can do besides starting and stopping: sound, viewers, push targets, and the log."""

from __future__ import annotations

import logging
from dataclasses import asdict

from aiohttp import web

from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.web.api import json_response, read_object
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.owner.overview import Parts

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class OwnerActions:
    """Handlers of the actions; each is in the log with who did it."""

    def __init__(self, operator: OperatorAuth, parts: Parts, log: RateLimitedLogger) -> None:
        self._operator = operator
        self._parts = parts
        self._log = log

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_post("/api/owner/sound", self.sound)
        router.add_delete("/api/owner/viewers/{id}", self.disconnect)
        router.add_post("/api/owner/push/{name}", self.push)
        router.add_post("/api/owner/check", self.check)
        router.add_get("/api/owner/log", self.log)

    async def sound(self, request: web.Request) -> web.Response:
        """Mute or unmute the stream, also for the next start."""
        operator = self._operator.require(request)
        muted = await _read_bool(request, "muted")
        stream = self._parts.stream
        stream.mute(muted)
        if stream.muted is not muted:
            raise web.HTTPConflict(text="The stream has no sound.\n")
        self._parts.save_muted(muted)
        self._log.info("owner", f"{operator} {'muted' if muted else 'unmuted'} the sound")
        return json_response({"muted": muted})

    async def disconnect(self, request: web.Request) -> web.Response:
        """End the session of a viewer, who may come back."""
        operator, viewer = self._operator.require(request), request.match_info["id"]
        if not self._parts.viewers.disconnect(viewer) and not self._parts.players.disconnect(viewer):
            raise web.HTTPNotFound(text="There is no such viewer.\n")
        self._log.info("owner", f"{operator} disconnected viewer {viewer}")
        return json_response({"disconnected": viewer})

    async def push(self, request: web.Request) -> web.Response:
        """Switch a push target on or off, also for the next start."""
        operator, name = self._operator.require(request), request.match_info["name"]
        enabled = await _read_bool(request, "enabled")
        targets = self._parts.push()
        if targets is None or not targets.set_enabled(name, enabled):
            raise web.HTTPNotFound(text="There is no such push target.\n")
        self._log.info("owner", f'{operator} switched push target "{name}" {"on" if enabled else "off"}')
        return json_response({"name": name, "enabled": enabled})

    async def check(self, request: web.Request) -> web.Response:
        """Start `broadcaster check`; its results are in the events, and in the state."""
        operator, check = self._operator.require(request), self._parts.check
        if check is None:
            raise web.HTTPConflict(text="This daemon cannot run a check.\n")
        if not check.start():
            raise web.HTTPConflict(text="A check is running.\n")
        self._log.info("owner", f"{operator} started a check")
        return json_response({"check": check.report}, status=202)

    async def log(self, request: web.Request) -> web.Response:
        """Return the last lines of the log: of `level` and above, after the line with the number `after`."""
        self._operator.require(request)
        level, after = request.query.get("level", "debug"), request.query.get("after", "0")
        if level not in _LEVELS or not (after.isascii() and after.isdigit() and len(after) < 16):
            raise web.HTTPBadRequest(text=f"level must be one of {', '.join(_LEVELS)}, and after a number.\n")
        return json_response({"lines": [asdict(line) for line in self._parts.log.lines(_LEVELS[level], int(after))]})


async def _read_bool(request: web.Request, name: str) -> bool:
    """Return the value in the body `{NAME: true}`. Raises HTTP errors."""
    value = (await read_object(request)).get(name)
    if not isinstance(value, bool):
        raise web.HTTPBadRequest(text=f'The body must be {{"{name}": true}} or {{"{name}": false}}.\n')
    return value
