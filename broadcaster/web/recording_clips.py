"""`POST /api/recordings/clips`: saves what was recorded from one moment to another as a recording that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from msgspec import to_builtins

from broadcaster.errors import BusyError, RecordError
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.web.api import json_response, read_object
from broadcaster.web.ranged_file import busy
from broadcaster.web.recording_access import RecordingAccess
from broadcaster.web.time_range import required_range

if TYPE_CHECKING:
    from broadcaster.ports.recording import ClipSaver

MAX_CLIP = 3600.0
"""Seconds: a clip of an hour at 2.5 Mbit/s has 1.1 GB, which an SD card takes in a minute or two."""


class RecordingClips:
    """The handler for the operator."""

    def __init__(self, access: RecordingAccess, clips: ClipSaver, log: RateLimitedLogger) -> None:
        self._access = access
        self._clips = clips
        self._log = log

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_post("/api/recordings/clips", self.save)

    async def save(self, request: web.Request) -> web.Response:
        """Answer with the names of the files, when they are on the disk."""
        self._access.to_change(request)
        wanted = required_range(await read_object(request), MAX_CLIP)
        self._log.info(
            "record", f"{self._access.changer(request)} requested a clip of {wanted.end - wanted.start:.1f} s"
        )
        try:
            return json_response({"clip": to_builtins(await self._clips.save(wanted.start, wanted.end))})
        except RecordError as error:
            raise web.HTTPConflict(text=f"No clip: {error}.\n") from error
        except BusyError as error:
            raise busy() from error
