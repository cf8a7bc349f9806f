"""The viewer page: its folder, its files and its response headers."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from broadcaster.web.document import LINKED, Document

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


_PAYS = 0.9
"""Fraction of its size below which a file is sent compressed; images are not."""
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


@dataclass(frozen=True, slots=True)
class InlineSources:
    """The hashes of the scripts and styles in a page, each with a leading space."""

    scripts: str = ""
    styles: str = ""


INLINE_SOURCES = web.RequestKey("inline_sources", InlineSources)
"""Set by the handler of a page that has scripts or styles in itself."""


def viewer_folder() -> Path:
    """Return the page's folder: package data in an installed wheel, `viewer/` beside the package in a checkout."""
    packaged = Path(__file__).parent / "viewer"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "viewer"


@dataclass(frozen=True, slots=True)
class _File:
    """The content of a file; `etag` identifies its version, and `compressed` is gzip, empty if that does not pay."""

    body: bytes
    content_type: str
    etag: str
    compressed: bytes


class Page:
    """Serves `/` and `/viewer/…`. Browsers revalidate each file on every load, so that updates take effect at once.

    The page is one document, made when the daemon starts, with all that the first picture needs: each further request
    would delay the picture by a round trip. Other files are cached in memory, and read again when they have changed.
    """

    def __init__(self, folder: Path) -> None:
        """Raises `LinkError` if the document cannot be made."""
        self._folder = folder.resolve()
        self._cache: dict[Path, tuple[str, _File]] = {}
        document = Document(self._folder, "index.html")
        self._index = _file(document.html.encode(), ".html")
        self._linked = {LINKED + name: _file(text.encode(), ".mjs") for name, text in document.modules.items()}
        self._sources = InlineSources(document.script_sources, document.style_sources)

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Serve the HTML page."""
        request[INLINE_SOURCES] = self._sources
        return _response(request, self._index)

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
        return _response(request, self._linked.get(path) or self._read(path))

    def _read(self, path: str) -> _File:
        """Return the file from the cache, or read it if its modification time or size has changed. Raises 404."""
        is_valid = path.isprintable() and len(path.encode()) <= _MAX_PATH
        file = (self._folder / path).resolve() if is_valid else self._folder
        is_inside = file.is_relative_to(self._folder)
        if file.suffix not in _CONTENT_TYPES or file.name in _NOT_SERVED or not is_inside or not file.is_file():
            raise web.HTTPNotFound(text="No such page.\n")
        status = file.stat()
        version = f"{status.st_mtime_ns:x}-{status.st_size:x}"
        cached_version, cached = self._cache.get(file, ("", None))
        if cached is None or cached_version != version:
            cached = _file(file.read_bytes(), file.suffix)
            self._cache[file] = (version, cached)
        return cached


def _file(body: bytes, suffix: str) -> _File:
    compressed = gzip.compress(body, mtime=0)
    pays = len(compressed) < _PAYS * len(body)
    return _File(body, _CONTENT_TYPES[suffix], hashlib.sha256(body).hexdigest()[:20], compressed if pays else b"")


def _response(request: web.Request, file: _File) -> web.Response:
    """Return the file, compressed if the browser accepts that, or that the browser has it already."""
    is_compressed = bool(file.compressed) and _GZIP.search(request.headers.get(hdrs.ACCEPT_ENCODING, "")) is not None
    etag = f"{file.etag}-gzip" if is_compressed else file.etag  # each encoding has its own (RFC 9110 §8.8.3.3)
    headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{etag}"', hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if any(tag.value == etag for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = file.content_type
    if not is_compressed:
        return web.Response(body=file.body, headers=headers)
    return web.Response(body=file.compressed, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})


def page_headers(host: str | None, origins: Iterable[str] | None, inline: InlineSources) -> dict[str, str]:
    """Return the headers of every response; `host` is the request's `Host`, or None if it is not this machine's.

    `origins` may show the page in a frame, besides its own; None: no page may, because clicks could be stolen, and the
    page itself may show the viewer page.
    """
    sockets = f" ws://{host} wss://{host}" if host is not None and _is_csp_host(host) else ""
    policy = (
        "default-src 'none'",
        f"script-src 'self'{inline.scripts}",
        f"style-src 'self'{inline.styles}",
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
