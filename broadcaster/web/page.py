"""The viewer page: where its files are, and how they are served."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
"""What is served, and as what; the system's own table is not asked, for it differs between systems."""

_TOOLS = ("jsconfig.json",)
"""Files of the folder that are for the type checker only."""

_LONGEST_PATH = 200
"""Bytes, so that no name in it is longer than file systems have them (255)."""

_DENIED = "camera=(), microphone=(), geolocation=(), display-capture=()"


def viewer_folder() -> Path:
    """The page's folder: package data in an installed wheel, `viewer/` beside the package in a checkout."""
    packaged = Path(__file__).parent / "viewer"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "viewer"


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the page as it was read; `etag` changes with it."""

    body: bytes
    etag: str


class Page:
    """Serves `/` and `/viewer/…`; every answer has to be validated again, so that an update is seen at once.

    A page is a dozen small files, and a newcomer waits for all of them: they are kept in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._files: dict[Path, _File] = {}

    async def index(self, request: web.Request) -> web.StreamResponse:
        """The page itself."""
        return self._serve(request, "index.html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """One of its modules, styles or pictures."""
        return self._serve(request, request.match_info["path"])

    def _serve(self, request: web.Request, path: str) -> web.StreamResponse:
        sane = path.isprintable() and len(path.encode()) <= _LONGEST_PATH
        file = (self._folder / path).resolve() if sane else self._folder
        kind = _TYPES.get(file.suffix)
        if kind is None or file.name in _TOOLS or not file.is_relative_to(self._folder) or not file.is_file():
            raise web.HTTPNotFound(text="No such page.\n")
        known = self._read(file)
        headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{known.etag}"'}
        if any(tag.value == known.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=known.body, headers={**headers, hdrs.CONTENT_TYPE: kind})

    def _read(self, file: Path) -> _File:
        """From memory, as long as time and size of the file are the same."""
        status = file.stat()
        etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
        known = self._files.get(file)
        if known is None or known.etag != etag:
            known = self._files[file] = _File(file.read_bytes(), etag)
        return known


def page_headers(host: str | None, origins: Iterable[str]) -> dict[str, str]:
    """The headers of every answer; `host` is the request's `Host`, if it is one of ours."""
    sockets = f" ws://{host} wss://{host}" if host is not None and _can_be_named(host) else ""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        f"connect-src 'self'{sockets}",
        "base-uri 'none'",
        "form-action 'none'",
        " ".join(("frame-ancestors 'self'", *origins)),
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": _DENIED,
    }


def _can_be_named(host: str) -> bool:
    """Whether a policy can name this host: it has no form for IPv6 addresses (CSP 3 §2.3.1); 'self' has to do there."""
    return not host.startswith("[")
