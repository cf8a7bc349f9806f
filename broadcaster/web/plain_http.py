"""Plain HTTP on the port of https: requests for pages are redirected, others get an error with an explanation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

from broadcaster.web import connection
from broadcaster.web.connection import TlsProtocol

_MAX_HEAD = 8192
"""Bytes of a request head; a browser's first request has less than a thousand."""
_METHOD = re.compile(rb"[A-Z]{3,10}(?: |$)")
_REQUEST = re.compile(rb"(?:GET|HEAD) (/[!-~]*) HTTP/1\.[01]\r?\n")
_HOST = re.compile(rb"\nhost:[ \t]*([!-~]+)[ \t]*\r?\n", re.IGNORECASE)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_HTTPS_ONLY = "This port accepts https only."


class ProtocolDetector(asyncio.Protocol):
    """Reads the first bytes of a connection: hands TLS over to `make_tls`, answers plain HTTP and closes it.

    `handshake` is the future of the TLS handshake; it is cancelled when the connection ends without one.
    """

    def __init__(
        self, make_tls: Callable[[], TlsProtocol], handshake: asyncio.Future[None], is_own_host: Callable[[str], bool]
    ) -> None:
        self._make_tls = make_tls
        self._handshake = handshake
        self._is_own_host = is_own_host
        self._head = b""
        self._timeout: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        self._timeout = asyncio.get_running_loop().call_later(connection.HANDSHAKE_TIMEOUT, transport.close)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        assert self._transport is not None
        self._head += data
        if not _may_be_http(self._head):
            self._start_tls(self._transport)
        elif _END_OF_HEAD.search(self._head) or len(self._head) > _MAX_HEAD:
            self._transport.write(http_response(self._head, self._is_own_host))
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._cancel_timeout()
        self._handshake.cancel()

    def _start_tls(self, transport: asyncio.Transport) -> None:
        """Replace this protocol by TLS, and pass on the bytes received so far."""
        self._cancel_timeout()
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

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()


def http_response(head: bytes, is_own_host: Callable[[str], bool]) -> bytes:
    """Return the HTTP response to a plain request: a redirect if it is for a page of this machine, else 400.

    The redirect is temporary (RFC 9110 §15.4.8), so that browsers do not remember it if TLS is turned off again.
    """
    request, host = _REQUEST.match(head), _HOST.search(head)
    if request is None or host is None or not is_own_host(host[1].decode("ascii")):
        return _response("400 Bad Request", "", f"{_HTTPS_ONLY}\n")
    url = f"https://{host[1].decode('ascii')}{request[1].decode('ascii')}"
    return _response("307 Temporary Redirect", f"Location: {url}\r\n", f"{_HTTPS_ONLY} The page is at {url}\n")


def _response(status: str, header: str, text: str) -> bytes:
    headers = f"{header}Cache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(text)}\r\n\r\n{text}".encode("ascii")


def _may_be_http(head: bytes) -> bool:
    """Whether these bytes may begin a request (RFC 9112 §3). A TLS record begins with 22 (RFC 8446 §5.1)."""
    return _METHOD.match(head) is not None or re.fullmatch(rb"[A-Z]{1,10}", head) is not None
