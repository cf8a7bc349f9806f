"""Sends a file or a range of it, slowly enough for the stream.

aiohttp's `FileResponse` hands whole files to the kernel, which keeps the event loop busy for as long as the client
takes the data without a pause: hundreds of milliseconds on a fast network.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import hdrs, web

MAX_RATE = 20_000_000
"""Bytes per second for one download."""

_BLOCK = 256 * 1024
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


async def send_file(request: web.Request, path: Path, headers: Mapping[str, str]) -> web.StreamResponse:
    """Send a regular file, or the range that the request asks for (RFC 9110 §14). Raises HTTP errors."""
    try:
        descriptor = await asyncio.to_thread(os.open, path, _OPEN_FLAGS)
    except OSError:
        raise web.HTTPNotFound(text="The file is gone.\n") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise web.HTTPNotFound(text="The file is gone.\n")
        first, end = requested_range(request, status.st_size)
        response = web.StreamResponse(headers={hdrs.ACCEPT_RANGES: "bytes", **headers})
        if hdrs.RANGE in request.headers:
            response.set_status(206)
            response.headers[hdrs.CONTENT_RANGE] = f"bytes {first}-{end - 1}/{status.st_size}"
        response.content_length = end - first
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            await _send(response, descriptor, first, end)
        await response.write_eof()
        return response
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


async def _send(response: web.StreamResponse, descriptor: int, first: int, end: int) -> None:
    due = time.monotonic()
    while first < end:
        data = await asyncio.to_thread(os.pread, descriptor, min(_BLOCK, end - first), first)
        if not data:  # the file has become shorter; the client notices that the answer is incomplete
            raise ConnectionResetError
        await response.write(data)
        first += len(data)
        due = max(due, time.monotonic() - 1) + len(data) / MAX_RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
