"""`/recordings/…`: ranges of time as one film, to play (HLS) or to download (MP4), and thumbnails."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from aiohttp import hdrs, web

from broadcaster.errors import BusyError, FormatChange, RecordError
from broadcaster.web.ranged_file import FileSender, busy
from broadcaster.web.recording_access import RecordingAccess
from broadcaster.web.thumbnails import Thumbnails, tag
from broadcaster.web.time_range import number, required_range

if TYPE_CHECKING:
    from broadcaster.ports.recording import Export, RecordingReader

MAX_FILM = 7 * 24 * 3600.0
"""Seconds of a playlist; that of a day has 1.7 MB before it is compressed."""

MAX_EXPORT = 12 * 3600.0
"""Seconds; the index of a longer file would not fit into its 32-bit fields (`media.mp4_join`)."""

_SEGMENT = r"{offset:\d{1,12}}_{size:\d{1,12}}_{shift:-?\d{1,12}}"
_MAX_AT = 1e6
_CACHED = "private, max-age=604800, immutable"
Answer = TypeVar("Answer")


class RecordingFilms:
    """Handlers for those who may watch."""

    def __init__(
        self, access: RecordingAccess, reader: RecordingReader, sender: FileSender, thumbnails: Thumbnails
    ) -> None:
        self._access = access
        self._reader = reader
        self._sender = sender
        self._thumbnails = thumbnails

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_get("/recordings/film.m3u8", self.film)
        router.add_get("/recordings/export.mp4", self.export)
        router.add_get("/recordings/{name}/init.mp4", self.init_segment)
        router.add_get("/recordings/{name}/picture.jpg", self.picture)
        router.add_get(f"/recordings/{{name}}/{_SEGMENT}.mp4", self.segment)

    async def film(self, request: web.Request) -> web.Response:
        """Answer with a playlist of what was recorded from `from` to `to`."""
        self._access.to_watch(request)
        wanted = required_range(request.query, MAX_FILM)
        code = request.query.get("access")
        query = urlencode({"access": code}) if code else ""
        text = await found(self._reader.playlist(wanted.start, wanted.end, query))
        headers = {hdrs.CACHE_CONTROL: "no-store"}
        response = web.Response(text=text, content_type="application/vnd.apple.mpegurl", headers=headers)
        response.enable_compression()
        return response

    async def init_segment(self, request: web.Request) -> web.StreamResponse:
        """Answer with what players need before the parts of a file."""
        recording = self._access.find(self._access.to_watch(request), request.match_info["name"], renamed=True)
        data = await found(self._reader.init_segment(recording))
        cache = "no-store" if recording.open else _CACHED
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: "video/mp4", hdrs.CACHE_CONTROL: cache}
        return await self._sender.send_parts(request, [data], headers)

    async def segment(self, request: web.Request) -> web.StreamResponse:
        """Send a part of a file, as the playlist names it."""
        recording = self._access.find(self._access.to_watch(request), request.match_info["name"], renamed=True)
        offset, size, shift = (int(request.match_info[name]) for name in ("offset", "size", "shift"))
        parts = await found(self._reader.segment(recording, offset, size, shift))
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: "video/mp4", hdrs.CACHE_CONTROL: _CACHED}
        return await self._sender.send_parts(request, parts, headers)

    async def export(self, request: web.Request) -> web.StreamResponse:
        """Send what was recorded from `from` to `to` as one file, to be saved unless `inline` is there."""
        self._access.to_watch(request)
        wanted = required_range(request.query, MAX_EXPORT)
        export = await found(self._reader.export(wanted.start, wanted.end))
        return await send_export(self._sender, request, export, save="inline" not in request.query)

    async def picture(self, request: web.Request) -> web.Response:
        """Answer with the keyframe that is the nearest to `at`, in seconds from the beginning of the file."""
        recording = self._access.find(self._access.to_watch(request), request.match_info["name"], renamed=True)
        at = math.floor(number(request.query, "at", 0.0, _MAX_AT, 0.0) + 0.5)
        headers = {hdrs.ETAG: f'"{tag(recording, at)}"', hdrs.CACHE_CONTROL: "no-cache" if recording.open else _CACHED}
        if not recording.open and request.headers.get(hdrs.IF_NONE_MATCH) == headers[hdrs.ETAG]:
            return web.Response(status=304, headers=headers)
        data = await found(self._thumbnails.picture(recording, at))
        return web.Response(body=data, content_type="image/jpeg", headers=headers)


async def found(answer: Awaitable[Answer]) -> Answer:
    """Return what is awaited.

    Raises HTTP errors: 404 if there is no such thing, 409 if the video's format changes within, 503 if too many wait.
    """
    try:
        return await answer
    except FormatChange as error:
        raise web.HTTPConflict(text=f"{error}\n") from error
    except RecordError as error:
        raise web.HTTPNotFound(text=f"{error}\n") from error
    except BusyError as error:
        raise busy() from error


async def send_export(sender: FileSender, request: web.Request, export: Export, *, save: bool) -> web.StreamResponse:
    """Send a file, or the range of it that is requested; with `save`, browsers do not play it."""
    kind = "attachment" if save else "inline"
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: "video/mp4",
        hdrs.CACHE_CONTROL: "private, no-cache",
        hdrs.ETAG: f'"{export.tag}"',
        hdrs.CONTENT_DISPOSITION: f'{kind}; filename="{readable_name(export.started, export.duration)}"',
    }
    return await sender.send_parts(request, [export.head, *export.parts], headers)


def readable_name(started: float, duration: float) -> str:
    """Return a name that a person understands, in the machine's time zone: date, first and last moment."""
    first, last = time.localtime(started), time.localtime(started + duration)
    return time.strftime("%Y-%m-%d %H.%M.%S", first) + time.strftime(" to %H.%M.%S.mp4", last)
