"""Errors of the HTTP API: below `/api/` they are JSON, `{"error": "…"}`; everywhere else they are plain text."""

from __future__ import annotations

import json

from aiohttp import hdrs, web

from broadcaster.web.request_guard import Handler

_PATH = "/api/"
_LOWEST_ERROR = 400


@web.middleware
async def api_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the text of HTTP errors of the API into JSON."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if request.path.startswith(_PATH) and error.status >= _LOWEST_ERROR:
            error.text = json.dumps({"error": _words(error)})
            error.content_type = "application/json"
            error.headers[hdrs.CACHE_CONTROL] = "no-store"
        raise


def _words(error: web.HTTPException) -> str:
    """Return the text of an error without the status, which aiohttp's own texts begin with."""
    return (error.text or error.reason).strip().removeprefix(f"{error.status}: ")
