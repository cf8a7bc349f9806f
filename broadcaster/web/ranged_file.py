"""Sends a file, a range of it, or parts of several files as one, slowly enough for the stream.

aiohttp's `FileResponse` hands whole files to the kernel, which keeps the event loop busy for as long as the client
takes the data without a pause: hundreds of milliseconds on a fast network.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aiohttp import hdrs, web

from broadcaster.errors import BusyError
from broadcaster.ports.recording import FilePart
from broadcaster.storage.recordings.tables import open_recording
from broadcaster.web.download_pacer import Download, DownloadPacer
from broadcaster.worker import Worker

STALL_LIMIT = 120.0
"""Seconds that a client may take for one block. It holds a file, and its share of the rate; a browser whose player is
paused asks for the rest when it goes on."""

_MAX_WAITING = 64
"""Reads of downloads that may wait for the disk."""


@dataclass(frozen=True, slots=True)
class _Opened:
    descriptor: int
    offset: int
    size: int


_Part = bytes | FilePart | _Opened


class FileSender:
    """Sends downloads: reads in a thread of its own, and waits as the pacer says."""

    def __init__(self, pacer: DownloadPacer) -> None:
        self._pacer = pacer
        self._reader = Worker("downloads", _MAX_WAITING)

    async def send(self, request: web.Request, path: Path, headers: Mapping[str, str]) -> web.StreamResponse:
        """Send a regular file, or the range that the request asks for (RFC 9110 §14). Raises HTTP errors."""
        try:
            async with self._opened(path) as descriptor:
                part = _Opened(descriptor, 0, os.fstat(descriptor).st_size)
                return await self._respond(request, [part], headers)
        except FileNotFoundError:
            raise web.HTTPNotFound(text="The file is gone.\n") from None
        except BusyError as error:
            raise busy() from error

    async def send_parts(
        self, request: web.Request, parts: Sequence[bytes | FilePart], headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Send bytes and parts of files as if they were one file. Raises HTTP errors.

        If a file vanishes meanwhile, the answer ends early, which the client notices.
        """
        return await self._respond(request, parts, headers)

    async def _respond(
        self, request: web.Request, parts: Sequence[_Part], headers: Mapping[str, str]
    ) -> web.StreamResponse:
        size = sum(map(_size, parts))
        is_same = request.headers.get(hdrs.IF_RANGE) in (None, headers.get(hdrs.ETAG))
        first, end = requested_range(request, size) if is_same else (0, size)
        response = web.StreamResponse(headers={hdrs.ACCEPT_RANGES: "bytes", **headers})
        if is_same and hdrs.RANGE in request.headers:
            response.set_status(206)
            response.headers[hdrs.CONTENT_RANGE] = f"bytes {first}-{end - 1}/{size}"
        response.content_length = end - first
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            try:
                with self._pacer.download() as download:
                    for part in _sliced(parts, first, end):
                        await self._send(response, part, download)
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionResetError from None
        await response.write_eof()
        return response

    async def _send(self, response: web.StreamResponse, part: _Part, download: Download) -> None:
        """Send one part. Raises TimeoutError if the client takes nothing for too long.

        Raises `ConnectionResetError` if the part cannot be read: the client notices the missing rest.
        """
        if isinstance(part, bytes):
            while part:
                data, part = part[: download.block], part[download.block :]
                await _write(response, data)
                await download.sent(len(data))
        elif isinstance(part, FilePart):
            try:
                async with self._opened(part.path) as descriptor:
                    await self._send(response, _Opened(descriptor, part.offset, part.size), download)
            except (FileNotFoundError, BusyError) as error:
                raise ConnectionResetError from error
        else:
            offset, end = part.offset, part.offset + part.size
            while offset < end:
                data = await self._read(part.descriptor, min(download.block, end - offset), offset)
                await _write(response, data)
                await download.sent(len(data))
                offset += len(data)

    async def _read(self, descriptor: int, size: int, offset: int) -> bytes:
        try:
            data = await self._reader.run(partial(os.pread, descriptor, size, offset))
        except (OSError, BusyError) as error:
            raise ConnectionResetError from error
        if not data:
            raise ConnectionResetError  # the file has become shorter
        return data

    @contextlib.asynccontextmanager
    async def _opened(self, path: Path) -> AsyncIterator[int]:
        """Open a regular file inside the block. Raises `FileNotFoundError` if it cannot be opened, and `BusyError`."""
        opening = asyncio.ensure_future(self._reader.run(partial(open_recording, path)))
        try:
            descriptor = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_when_opened)
            raise
        except OSError as error:
            raise FileNotFoundError(path) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def requested_range(request: web.Request, size: int) -> tuple[int, int]:
    """Return the first byte to send, and the one behind the last. Raises `HTTPRequestRangeNotSatisfiable`."""
    try:
        wanted = request.http_range
    except ValueError:
        wanted = slice(size, None)
    first = wanted.start or 0
    if first < 0:
        first = max(size + first, 0)
    end = size if wanted.stop is None else min(wanted.stop, size)
    if first >= end and hdrs.RANGE in request.headers:
        raise web.HTTPRequestRangeNotSatisfiable(headers={hdrs.CONTENT_RANGE: f"bytes */{size}"})
    return first, end


def busy() -> web.HTTPServiceUnavailable:
    """Return the error response while too many requests wait for the disk."""
    return web.HTTPServiceUnavailable(
        text="Too many requests at the same time; try again.\n", headers={hdrs.RETRY_AFTER: "1"}
    )


async def _write(response: web.StreamResponse, data: bytes) -> None:
    """Write, and wait until there is room for more. Raises TimeoutError."""
    async with asyncio.timeout(STALL_LIMIT):
        await response.write(data)


def _close_when_opened(opening: asyncio.Future[int]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


def _size(part: _Part) -> int:
    return len(part) if isinstance(part, bytes) else part.size


def _sliced(parts: Sequence[_Part], first: int, end: int) -> Iterator[_Part]:
    """Yield what a range of bytes takes of the parts."""
    position = 0
    for part in parts:
        begin, stop = max(first - position, 0), min(end - position, _size(part))
        position += _size(part)
        if begin >= stop:
            continue
        if isinstance(part, bytes):
            yield part[begin:stop]
        else:
            yield replace(part, offset=part.offset + begin, size=stop - begin)
