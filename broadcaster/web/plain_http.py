"""Plain HTTP on the port of https: a page typed without its scheme is redirected, anything else gets a sentence."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

from broadcaster.web import connection
from broadcaster.web.connection import Tls

_LARGEST_HEAD = 8192
"""Bytes of a request's head that are waited for; browsers send less than a thousand for a first page."""
_METHOD = re.compile(rb"[A-Z]{3,10}(?: |$)")
_REQUEST = re.compile(rb"(?:GET|HEAD) (/[!-~]*) HTTP/1\.[01]\r?\n")
_HOST = re.compile(rb"\nhost:[ \t]*([!-~]+)[ \t]*\r?\n", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")
_SENTENCE = "This port speaks https only."


class FirstBytes(asyncio.Protocol):
    """Reads the beginning of a connection: TLS goes on to what `make_tls` makes, plain HTTP is answered and closed.

    `begun` is TLS's own future; it is cancelled when the connection has ended without any TLS.
    """

    def __init__(
        self, make_tls: Callable[[], Tls], begun: asyncio.Future[None], is_own_host: Callable[[str], bool]
    ) -> None:
        self._make_tls = make_tls
        self._begun = begun
        self._is_own_host = is_own_host
        self._head = b""
        self._limit: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`, like all that follows."""
        self._transport = cast(asyncio.Transport, transport)
        self._limit = asyncio.get_running_loop().call_later(connection.HANDSHAKE_LIMIT, transport.close)

    def data_received(self, data: bytes) -> None:
        """Bytes: the first ones tell what it is."""
        assert self._transport is not None
        self._head += data
        if not _may_be_http(self._head):
            self._go_on_with_tls(self._transport)
        elif _END.search(self._head) or len(self._head) > _LARGEST_HEAD:
            self._transport.write(answer(self._head, self._is_own_host))
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over, and there was no TLS."""
        self._stop_waiting()
        self._begun.cancel()

    def _go_on_with_tls(self, transport: asyncio.Transport) -> None:
        self._stop_waiting()
        tls = self._make_tls()
        transport.set_protocol(tls)
        tls.connection_made(transport)
        rest = memoryview(self._head)
        while rest:
            buffer = memoryview(tls.get_buffer(len(rest)))
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            tls.buffer_updated(count)
            rest = rest[count:]

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()


def answer(head: bytes, is_own_host: Callable[[str], bool]) -> bytes:
    """Return the HTTP answer to a plain request: a redirect for a page at a host that is ours, else 400.

    Temporary (RFC 9110 §15.4.8), so that browsers do not remember it if TLS is turned off again.
    """
    request, host = _REQUEST.match(head), _HOST.search(head)
    if request is None or host is None or not is_own_host(host[1].decode("ascii")):
        return _response("400 Bad Request", "", f"{_SENTENCE}\n")
    url = f"https://{host[1].decode('ascii')}{request[1].decode('ascii')}"
    return _response("307 Temporary Redirect", f"Location: {url}\r\n", f"{_SENTENCE} The page is at {url}\n")


def _response(status: str, more: str, text: str) -> bytes:
    fixed = "Cache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status}\r\n{more}{fixed}Content-Length: {len(text)}\r\n\r\n{text}".encode("ascii")


def _may_be_http(head: bytes) -> bool:
    """Whether these bytes begin like a request (RFC 9112 §3); a TLS record begins with 22 (RFC 8446 §5.1)."""
    return _METHOD.match(head) is not None or re.fullmatch(rb"[A-Z]{1,10}", head) is not None
