"""`POST /api/record`: starts and stops recording, saves clips, and sets marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from msgspec import to_builtins

from broadcaster.errors import RecordError
from broadcaster.ports import StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import stream_object
from broadcaster.web.api import json_response, read_object
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.proxies import CALLER

if TYPE_CHECKING:
    from broadcaster.ports.recording import RecorderControl

_WRONG_BODY = 'The body must be {"record": true}, {"record": false}, {"clip": true} or {"mark": true}.\n'
_OFF = "The recorder is off; set record.mode, and restart the daemon.\n"
_ONLY_TIMELAPSE = "Only a timelapse is recorded; to record the stream, set record.mode, and restart the daemon.\n"


class RecordApi:
    """The recorder over HTTP, for the operator.

    `recorder` is None while it is off; there may be recordings even then, of a timelapse.
    """

    def __init__(self, stream: StreamControl, operator: OperatorAuth, log: RateLimitedLogger) -> None:
        self.recorder: RecorderControl | None = None
        self.has_recordings = False
        self._stream = stream
        self._operator = operator
        self._log = log

    async def record(self, request: web.Request) -> web.Response:
        """Start or stop recording, save a clip, or set a mark, as the body says."""
        operator = self._operator.require(request)
        body = await read_object(request)
        if self.recorder is None:
            raise web.HTTPConflict(text=_ONLY_TIMELAPSE if self.has_recordings else _OFF)
        answer: dict[str, Any] = {"stream": to_builtins(stream_object(self._stream.status))}
        caller = f"{operator} at {request[CALLER].address}"
        match body:
            case {"record": bool(on)}:
                self._log.info("record", f"{caller} requested recording {'on' if on else 'off'}")
                self.recorder.set_recording(on)
            case {"clip": True}:
                self._log.info("record", f"{caller} requested a clip")
                answer["clip"] = to_builtins(await self._clip(self.recorder))
            case {"mark": True}:
                self._log.info("record", f"{caller} set a mark")
                answer["mark"] = await self._mark(self.recorder)
            case _:
                raise web.HTTPBadRequest(text=_WRONG_BODY)
        return json_response(answer | {"recorder": to_builtins(self.recorder.stats())})

    async def refuse(self, request: web.Request) -> web.Response:
        """Refuse a request for recordings while the recorder is off."""
        if not self._operator.is_operator(request):
            raise self._operator.refusal()
        raise web.HTTPConflict(text=_OFF)

    async def _mark(self, recorder: RecorderControl) -> float:
        try:
            return await recorder.mark()
        except RecordError as error:
            raise web.HTTPConflict(text=f"No mark: {error}.\n") from error

    async def _clip(self, recorder: RecorderControl) -> object:
        try:
            return await recorder.clip()
        except RecordError as error:
            raise web.HTTPConflict(text=f"No clip: {error}.\n") from error
