"""`/api/recordings` and `/recordings/NAME`: the operator lists, downloads, keeps and deletes recordings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from msgspec import json, to_builtins

from broadcaster.errors import RecordError
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.web.api import json_response, read_object
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.proxies import CALLER
from broadcaster.web.ranged_file import send_file
from broadcaster.web.time_range import LATEST, TimeRange, any_range, number

if TYPE_CHECKING:
    from broadcaster.model.recording import Recording
    from broadcaster.ports.recording import RecordingLibrary


class RecordingsApi:
    """Handlers for recordings; `library` is None while the recorder is off."""

    def __init__(self, operator: OperatorAuth, clock: Clock, log: RateLimitedLogger) -> None:
        self.library: RecordingLibrary | None = None
        self._operator = operator
        self._clock = clock
        self._log = log

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_get("/api/recordings", self.list)
        router.add_post("/api/recordings/{name}", self.keep)
        router.add_delete("/api/recordings/{name}", self.delete)
        router.add_delete("/api/recordings/marks/{at}", self.remove_mark)
        router.add_get("/recordings/{name}", self.download)

    async def list(self, request: web.Request) -> web.Response:
        """List recordings, gaps and marks, oldest first; `from` and `to` limit the list to a range of time."""
        library, wanted = self._library(request), any_range(request.query)
        now = self._clock.unix()
        answer = {
            "recordings": [one for one in library.recordings if _overlaps(one, wanted, now)],
            "gaps": [
                {"from": gap.start, "to": gap.end}
                for gap in library.gaps
                if gap.start < wanted.end and gap.end > wanted.start
            ],
            "marks": [mark.at for mark in library.marks if wanted.start <= mark.at < wanted.end],
            "change": True,
        }
        body = json.encode(answer)  # thousands: the standard library would take long
        return web.Response(body=body, content_type="application/json", headers={hdrs.CACHE_CONTROL: "no-store"})

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a file, or the ranges of it that are requested (RFC 9110 §14); `?download` gives it another name."""
        library, recording = self._find(request)
        headers: dict[str, str] = {hdrs.CACHE_CONTROL: "private, no-cache", hdrs.CONTENT_TYPE: "video/mp4"}
        if "download" in request.query:
            headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{_readable_name(recording)}"'
        return await send_file(request, library.path(recording), headers)

    async def keep(self, request: web.Request) -> web.Response:
        """Mark a recording as one that is never deleted to make room, or not."""
        library, recording = self._find(request)
        kept = (await read_object(request)).get("kept")
        if not isinstance(kept, bool):
            raise web.HTTPBadRequest(text='The body must be {"kept": true} or {"kept": false}.\n')
        try:
            return json_response(to_builtins(await library.keep(recording.name, kept)))
        except RecordError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a recording."""
        library, recording = self._find(request)
        self._log.info("record", f"{request[CALLER].address} deleted recording {recording.name}")
        try:
            await library.delete(recording.name)
        except RecordError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error
        return web.Response(status=204)

    async def remove_mark(self, request: web.Request) -> web.Response:
        """Remove a mark."""
        library, at = self._library(request), number(request.match_info, "at", 0.0, LATEST)
        try:
            await library.remove_mark(at)
        except RecordError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from error
        return web.Response(status=204)

    def _library(self, request: web.Request) -> RecordingLibrary:
        """Return the library. Raises HTTP errors unless the operator asks, and while the recorder is off."""
        if not self._operator.is_operator(request):
            raise self._operator.refusal()
        if self.library is None:
            raise web.HTTPConflict(text="The recorder is off; set record.mode, and restart the daemon.\n")
        return self.library

    def _find(self, request: web.Request) -> tuple[RecordingLibrary, Recording]:
        library, name = self._library(request), request.match_info["name"]
        for recording in library.recordings:
            if recording.name == name:
                return library, recording
        raise web.HTTPNotFound(text="There is no such recording.\n")


def _overlaps(recording: Recording, wanted: TimeRange, now: float) -> bool:
    """Return whether a recording has anything of this range; one that is being written lasts until now."""
    end = max(now, recording.started) if recording.open else recording.started + recording.duration
    return recording.started < wanted.end and end >= wanted.start


def _readable_name(recording: Recording) -> str:
    """Return a name that a person understands, in the machine's time zone."""
    return time.strftime("%Y-%m-%d %H.%M.%S.mp4", time.localtime(recording.started))
