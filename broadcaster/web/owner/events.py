"""`/api/owner/events`: one WebSocket, on which the owner's page learns what changes, at most once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import hdrs, web
from msgspec import json

from broadcaster.signaling.protocol import CloseCode
from broadcaster.web.operator_auth import Operator, OperatorAuth
from broadcaster.web.owner.overview import COLUMNS, Overview, Row
from broadcaster.web.pending import Sockets
from broadcaster.web.websocket import WebSocket

SUBPROTOCOL = "broadcaster.owner.v1"
INTERVAL = 1.0
"""Seconds between two messages."""
MAX_LISTENERS = 16
_CLOSE_TIMEOUT = 0.5


class Changes:
    """Finds what has changed since the last message."""

    def __init__(self) -> None:
        self._sections: Mapping[str, Any] = {}
        self._rows: Mapping[str, Row] = {}

    @property
    def everything(self) -> dict[str, Any]:
        """The first message to a page, to which the later ones are the changes."""
        return {"columns": COLUMNS, **self._sections, "viewers": self._rows}

    def update(self, sections: Mapping[str, Any], rows: Mapping[str, Row]) -> dict[str, Any]:
        """Return the changed sections, and of the viewers the new and changed rows, and who is `gone`."""
        before, self._sections = self._sections, sections
        rows_before, self._rows = self._rows, rows
        message = {name: value for name, value in sections.items() if name not in before or before[name] != value}
        if changed := {viewer: row for viewer, row in rows.items() if rows_before.get(viewer) != row}:
            message["viewers"] = changed
        if gone := [viewer for viewer in rows_before if viewer not in rows]:
            message["gone"] = gone
        return message


class OwnerEvents:
    """Sends everything to a page that connects, then the changes. Nothing runs while nobody listens."""

    def __init__(self, operator: OperatorAuth, overview: Overview) -> None:
        self._operator = operator
        self._overview = overview
        self._sockets = Sockets(MAX_LISTENERS)
        self._listeners: dict[WebSocket, Operator] = {}
        self._changes = Changes()
        self._task: asyncio.Task[None] | None = None

    async def state(self, request: web.Request) -> web.Response:
        """Answer with what the first message on the WebSocket has."""
        self._operator.require(request)
        changes = Changes()
        changes.update(self._overview.sections(), self._overview.rows())
        return web.Response(
            body=json.encode(changes.everything),
            content_type="application/json",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket; without sign-in, the handshake is refused."""
        operator = self._operator.require(request)
        if len(self._listeners) >= MAX_LISTENERS:
            raise web.HTTPTooManyRequests(text="Too many of the owner's pages are open.\n")
        return await self._sockets.serve(request, SUBPROTOCOL, _CLOSE_TIMEOUT, partial(self._serve, operator))

    def close(self) -> None:
        """Close all WebSockets."""
        self._sockets.close()

    async def _serve(self, operator: Operator, socket: WebSocket) -> None:
        self._send_changes()  # to the others, so that everybody knows the same
        socket.send(json.encode(self._changes.everything))
        self._listeners[socket] = operator
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="owner's page")
        try:
            await socket.discard()
        finally:
            del self._listeners[socket]
            if not self._listeners:
                self._task.cancel()
                self._task = None
        await socket.finish()

    async def _run(self) -> None:
        """Send changes to all pages, until cancelled."""
        try:
            while True:
                await asyncio.sleep(INTERVAL)
                self._send_changes()
        finally:
            for socket in self._listeners:
                socket.close(CloseCode.RESTART)

    def _send_changes(self) -> None:
        """Send what has changed to the pages of browsers that are still signed in, and close the others."""
        changes = self._changes.update(self._overview.sections(), self._overview.rows())
        message = json.encode(changes)
        signed_in = {"", *(browser.id for browser in self._operator.browsers.all(self._operator.token))}
        for socket, operator in self._listeners.items():
            if operator.browser not in signed_in:
                socket.close(CloseCode.TOKEN)
            elif changes:
                socket.send(message)
