"""The HTTP client of one push target: WHIP requests with limits for time, size and redirections."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from types import TracebackType

import aiohttp
from aiohttp import hdrs

from broadcaster.errors import PushError
from broadcaster.signaling.sdp import MAX_BYTES
from broadcaster.web.push import whip
from broadcaster.web.push.actions import IceServers, WhipAnswer

POST_TIMEOUT = 15.0
"""Seconds for the answer to an offer; GStreamer's server needs 2.5."""

SHORT_TIMEOUT = 2.0
"""Seconds for other requests: a server that does not answer them may still take the stream."""

MAX_REDIRECTS = 5

MAX_REASON = 1024
"""Bytes that are read of the reason for a refusal."""

_REDIRECTS = (307, 308)
"""Redirections that keep method and body (RFC 9725 §4.5)."""

_GONE = 500
"""Lowest status for which a session may still exist: below, it is deleted or unknown."""

_SDP_HEADERS: dict[str, str] = {hdrs.CONTENT_TYPE: "application/sdp", hdrs.ACCEPT: "application/sdp"}


class WhipClient:
    """Requests to one WHIP endpoint; use it as an async context manager.

    TLS certificates are verified. Nothing is kept between requests: no cookies, no open connection. The token is sent
    wherever redirections and `Location` headers lead, except to plain http from https: services that distribute their
    load by redirections expect it there (RFC 9725 §4.6 and §4.7).
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> WhipClient:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=4),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={hdrs.ACCEPT_ENCODING: "identity"},
        )
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def options(self, token: str) -> tuple[int, IceServers]:
        """Return the status, 0 if the server does not answer in time, and the ICE servers. Raises `PushError`."""
        try:
            async with self._request(hdrs.METH_OPTIONS, self._url, token, SHORT_TIMEOUT) as response:
                return response.status, _ice_servers(response)
        except TimeoutError:
            return 0, ()

    async def post(self, offer: str, token: str) -> WhipAnswer:
        """Post an offer, and return the answer; one that is too long for an answer is cut. Raises `PushError`."""
        try:
            async with self._request(hdrs.METH_POST, self._url, token, POST_TIMEOUT, offer) as response:
                if response.status != 201:
                    raise whip.refusal(response.status, await _read(response, MAX_REASON))
                session = whip.resolve(str(response.url), response.headers.get(hdrs.LOCATION, ""), response.status)
                return WhipAnswer(session, await _read(response, MAX_BYTES + 1), _ice_servers(response))
        except TimeoutError:
            raise PushError(f"the server has not answered within {POST_TIMEOUT:g} s") from None

    async def delete(self, session: str, token: str) -> bool:
        """Delete a session; return whether the server has answered. Never raises."""
        with contextlib.suppress(PushError, TimeoutError):
            async with self._request(hdrs.METH_DELETE, session, token, SHORT_TIMEOUT) as response:
                return response.status < _GONE
        return False

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        url: str,
        token: str,
        limit: float,
        offer: str | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request, and follow redirections. Raises `PushError` or `TimeoutError`."""
        assert self._session is not None
        headers = {} if offer is None else _SDP_HEADERS
        if token:
            headers = headers | {hdrs.AUTHORIZATION: f"Bearer {token}"}
        try:
            async with asyncio.timeout(limit):
                for _ in range(MAX_REDIRECTS + 1):
                    async with self._session.request(
                        method, url, data=offer, headers=headers, allow_redirects=False
                    ) as response:
                        if response.status not in _REDIRECTS:
                            yield response
                            return
                        url = whip.resolve(url, response.headers.get(hdrs.LOCATION, ""))
                raise PushError(f"the server redirects more than {MAX_REDIRECTS} times")
        except TimeoutError:  # an `OSError`
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PushError(_explain(error)) from error


def _ice_servers(response: aiohttp.ClientResponse) -> IceServers:
    return whip.ice_servers(response.headers.getall(hdrs.LINK, [])[: whip.MAX_SERVERS])


async def _read(response: aiohttp.ClientResponse, limit: int) -> str:
    """Return the beginning of the body, up to `limit` bytes, as text."""
    body = b""
    while len(body) < limit and (chunk := await response.content.readany()):
        body += chunk
    return body[:limit].decode("utf-8", "replace")


def _explain(error: aiohttp.ClientError | OSError | ValueError) -> str:
    """Return what went wrong, in words for the owner."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the server's TLS certificate is not valid: {error.certificate_error}"
        case aiohttp.ClientSSLError():
            return "the server does not speak TLS at this port"
        case aiohttp.ClientConnectorDNSError():
            return f"the server's name {error.host} cannot be resolved"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            why = os.strerror(number) if number else str(error.os_error)
            return f"cannot connect to {error.host} port {error.port}: {why}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the server closed the connection without an answer"
        case OSError():
            return f"the connection to the server failed: {error}"
        case ValueError():  # also `aiohttp.InvalidURL`
            return "the URL has an invalid host name or port"
    return f"the server does not speak HTTP as it should ({type(error).__name__})"
