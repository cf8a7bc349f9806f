"""The viewer page: its folder, its files and its response headers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
"""Only files with these suffixes are served. The system's table is not used, because it differs between systems."""

_NOT_SERVED = ("jsconfig.json",)
"""Files in the folder that only the type checker needs."""

_MAX_PATH = 200
"""Bytes; keeps each name in a path below the limit of file systems (255)."""

_DENIED_FEATURES = "camera=(), microphone=(), geolocation=(), display-capture=()"


def viewer_folder() -> Path:
    """Return the page's folder: package data in an installed wheel, `viewer/` beside the package in a checkout."""
    packaged = Path(__file__).parent / "viewer"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "viewer"


@dataclass(frozen=True, slots=True)
class _CachedFile:
    """The content of a file; `etag` identifies its version."""

    body: bytes
    etag: str


class Page:
    """Serves `/` and `/viewer/…`. Browsers revalidate each file on every load, so that updates take effect at once.

    The page consists of a dozen small files, all of which a new viewer has to load, so they are cached in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._cache: dict[Path, _CachedFile] = {}

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Serve the HTML page."""
        return self._serve(request, "index.html")

    async def recordings(self, request: web.Request) -> web.StreamResponse:
        """Serve the HTML page of the recordings."""
        return self._serve(request, "recordings.html")

    async def owner(self, request: web.Request) -> web.StreamResponse:
        """Serve the owner's HTML page."""
        return self._serve(request, "owner.html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Serve a module, style sheet or image of the page."""
        return self._serve(request, request.match_info["path"])

    def _serve(self, request: web.Request, path: str) -> web.StreamResponse:
        is_valid = path.isprintable() and len(path.encode()) <= _MAX_PATH
        file = (self._folder / path).resolve() if is_valid else self._folder
        content_type = _CONTENT_TYPES.get(file.suffix)
        is_inside = file.is_relative_to(self._folder)
        if content_type is None or file.name in _NOT_SERVED or not is_inside or not file.is_file():
            raise web.HTTPNotFound(text="No such page.\n")
        cached = self._read(file)
        headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{cached.etag}"'}
        if any(tag.value == cached.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=cached.body, headers={**headers, hdrs.CONTENT_TYPE: content_type})

    def _read(self, file: Path) -> _CachedFile:
        """Return the file from the cache, or read it if its modification time or size has changed."""
        status = file.stat()
        etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
        cached = self._cache.get(file)
        if cached is None or cached.etag != etag:
            cached = self._cache[file] = _CachedFile(file.read_bytes(), etag)
        return cached


def page_headers(host: str | None, origins: Iterable[str] | None) -> dict[str, str]:
    """Return the headers of every response; `host` is the request's `Host`, or None if it is not this machine's.

    `origins` may show the page in a frame, besides its own; None: no page may, because clicks could be stolen, and the
    page itself may show the viewer page.
    """
    sockets = f" ws://{host} wss://{host}" if host is not None and _is_csp_host(host) else ""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        f"connect-src 'self'{sockets}",
        *(["frame-src 'self'"] if origins is None else []),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'" if origins is None else " ".join(("frame-ancestors 'self'", *origins)),
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": _DENIED_FEATURES,
    }


def _is_csp_host(host: str) -> bool:
    """Whether a policy can contain this host: not an IPv6 address (CSP 3 §2.3.1), for which 'self' has to suffice."""
    return not host.startswith("[")
