"""Bodies of requests, limited in size and time."""

from __future__ import annotations

import asyncio

from aiohttp import web

_TIMEOUT = 5.0
"""Seconds for the body of a request to arrive."""


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """Return the body. Raises `HTTPRequestEntityTooLarge` and `HTTPRequestTimeout`."""
    body = bytearray()
    try:
        async with asyncio.timeout(_TIMEOUT):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > max_bytes:
                    raise web.HTTPRequestEntityTooLarge(max_bytes)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(body)
