"""`/api/recordings` and `/recordings/NAME`: lists, sends, keeps and deletes recordings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from msgspec import json, to_builtins

from broadcaster.errors import RecordError
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.web.api import json_response, read_object
from broadcaster.web.ranged_file import FileSender
from broadcaster.web.recording_access import RecordingAccess
from broadcaster.web.recording_status import RecordingStatus
from broadcaster.web.time_range import LATEST, TimeRange, any_range, number

if TYPE_CHECKING:
    from broadcaster.model.recording import Recording
    from broadcaster.ports.recording import RecordingLibrary


class RecordingsApi:
    """Handlers for single recordings, and for the list of them."""

    def __init__(
        self, access: RecordingAccess, sender: FileSender, status: RecordingStatus, log: RateLimitedLogger
    ) -> None:
        self._access = access
        self._sender = sender
        self._status = status
        self._log = log

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_get("/api/recordings", self.list)
        router.add_post("/api/recordings/access", self._access.grant)
        router.add_delete("/api/recordings/marks/{at}", self.remove_mark)
        router.add_post("/api/recordings/{name}", self.keep)
        router.add_delete("/api/recordings/{name}", self.delete)
        router.add_get("/recordings/{name}", self.download)

    async def list(self, request: web.Request) -> web.Response:
        """List recordings, gaps and marks, oldest first; `from` and `to` limit the list to a range of time."""
        library, wanted = self._access.to_watch(request), any_range(request.query)
        may_change = self._access.may_change(request)
        status = self._status.fields(operator=may_change)
        now = status["now"]
        answer = {
            "recordings": [one for one in library.recordings if _overlaps(one, wanted, now)],
            "gaps": [
                {"from": gap.start, "to": gap.end}
                for gap in library.gaps
                if gap.start < wanted.end and gap.end > wanted.start
            ],
            "marks": [mark.at for mark in library.marks if wanted.start <= mark.at < wanted.end],
            "change": may_change,
            **status,
        }
        body = json.encode(answer)  # thousands: the standard library would take long
        return web.Response(body=body, content_type="application/json", headers={hdrs.CACHE_CONTROL: "no-store"})

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a file, or the ranges of it that are requested (RFC 9110 §14); `?download` gives it another name."""
        library = self._access.to_watch(request)
        recording = self._access.find(library, request.match_info["name"], renamed=True)
        return await send_recording(self._sender, request, library, recording, save="download" in request.query)

    async def keep(self, request: web.Request) -> web.Response:
        """Mark a recording as one that is never deleted to make room, or not."""
        library, recording = self._find(request)
        caller = self._access.changer(request)
        kept = (await read_object(request)).get("kept")
        if not isinstance(kept, bool):
            raise web.HTTPBadRequest(text='The body must be {"kept": true} or {"kept": false}.\n')
        self._log.info("record", f"{caller} {'keeps' if kept else 'no longer keeps'} recording {recording.name}")
        try:
            return json_response(to_builtins(await library.keep(recording.name, kept)))
        except RecordError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a recording."""
        library, recording = self._find(request)
        self._log.info("record", f"{self._access.changer(request)} deleted recording {recording.name}")
        try:
            await library.delete(recording.name)
        except RecordError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error
        return web.Response(status=204)

    async def remove_mark(self, request: web.Request) -> web.Response:
        """Remove a mark."""
        library, at = self._access.to_change(request), number(request.match_info, "at", 0.0, LATEST)
        self._log.info("record", f"{self._access.changer(request)} removed the mark at {at:.0f}")
        try:
            await library.remove_mark(at)
        except RecordError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from error
        return web.Response(status=204)

    def _find(self, request: web.Request) -> tuple[RecordingLibrary, Recording]:
        """Return the library and a recording, which the operator may change. Raises HTTP errors."""
        library = self._access.to_change(request)
        return library, self._access.find(library, request.match_info["name"])


async def send_recording(
    sender: FileSender, request: web.Request, library: RecordingLibrary, recording: Recording, *, save: bool
) -> web.StreamResponse:
    """Send a file, or a range of it; with `save`, browsers do not play it, and give it a name for people."""
    headers: dict[str, str] = {hdrs.CACHE_CONTROL: "private, no-cache", hdrs.CONTENT_TYPE: "video/mp4"}
    if save:
        name = time.strftime("%Y-%m-%d %H.%M.%S.mp4", time.localtime(recording.started))
        headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    return await sender.send(request, library.path(recording), headers)


def _overlaps(recording: Recording, wanted: TimeRange, now: float) -> bool:
    """Return whether a recording has anything of this range; one that is being written lasts until now."""
    end = max(now, recording.started) if recording.open else recording.started + recording.duration
    return recording.started < wanted.end and end >= wanted.start
