"""Whether TURN servers give this machine a relay: measured for `broadcaster check`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from aioice.stun import TransactionError, TransactionFailed
from aioice.turn import create_turn_endpoint

from broadcaster.auth.links import EARLIEST_CLOCK
from broadcaster.ports import Clock
from broadcaster.settings import IceServer, IceSettings
from broadcaster.settings.ice_uris import ServerUri, parse_uri
from broadcaster.webrtc.nat import MAX_SERVERS
from broadcaster.webrtc.servers import Servers

ALLOCATION_LIMIT = 5.0
DELETION_LIMIT = 1.0
"""Seconds that a server may take; without an answer the allocation expires."""
_LIFETIME = 60
"""Seconds that the allocation lasts if it cannot be deleted."""

MAX_REASON = 80
"""Characters of a server's reason that are shown."""

_UNAUTHORIZED, _WRONG_CREDENTIALS = 401, 441
"""Error codes of RFC 8656 §19; a server that does not know the user answers 401 (RFC 8489 §9.2.4)."""
_EXPIRING = re.compile(r"(\d{9,11})(:.*)?")
"""A username that expires at that Unix time (draft-uberti-behave-turn-rest-00 §2.2)."""


class RelayProblem(Enum):
    """Why there is no relay."""

    UNSUPPORTED = "unsupported"
    NOT_FOUND = "not-found"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    CREDENTIALS = "credentials"
    EXPIRED = "expired"
    CLOCK = "clock"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RelayProbe:
    """The relay's IP address that the server `url` gave, or the problem, with the server's or system's words for it.

    `from_secret` is whether the credentials were made from `ice.turn_secret`.
    """

    url: str
    uri: ServerUri
    from_secret: bool = False
    address: str = ""
    problem: RelayProblem | None = None
    detail: str = ""


async def probe_relays(settings: IceSettings, clock: Clock) -> tuple[RelayProbe, ...]:
    """Request a relay from each TURN server as for a viewer, and give it back; takes at most 6 s."""
    probes = [
        _probe(url, server, from_secret, clock.unix()) for url, server, from_secret in _turn_servers(settings, clock)
    ]
    return tuple(await asyncio.gather(*probes[:MAX_SERVERS]))


def _turn_servers(settings: IceSettings, clock: Clock) -> Iterator[tuple[str, IceServer, bool]]:
    """Yield each URL with its server, with credentials, and whether those were made from the secret."""
    servers = Servers(settings.servers, settings.turn_secret, clock).for_offer("check")
    for configured, server in zip(settings.servers, servers, strict=True):
        for url in server.urls:
            if parse_uri(url).relays:
                yield url, server, configured.needs_credential


async def _probe(url: str, server: IceServer, from_secret: bool, unix: float) -> RelayProbe:
    uri = parse_uri(url)

    def failed(problem: RelayProblem, detail: object = "") -> RelayProbe:
        return RelayProbe(url, uri, from_secret, problem=problem, detail=str(detail))

    if not uri.supported:
        return failed(RelayProblem.UNSUPPORTED)
    try:
        return RelayProbe(url, uri, from_secret, address=await _allocate(uri, server))
    except TransactionFailed as error:
        return failed(*_refusal(error, server.username, from_secret, unix))
    except (TransactionError, TimeoutError):
        return failed(RelayProblem.UNREACHABLE, "no answer")
    except ssl.SSLError as error:
        return failed(RelayProblem.CERTIFICATE, getattr(error, "verify_message", "") or error.reason or "TLS failed")
    except OSError as error:  # also the name is unknown, and a ConnectionError of aioice for an incomplete answer
        not_found = isinstance(error, socket.gaierror)
        text = os.strerror(error.errno) if error.errno and not not_found else error.strerror or error
        return failed(RelayProblem.NOT_FOUND if not_found else RelayProblem.UNREACHABLE, text)


async def _allocate(uri: ServerUri, server: IceServer) -> str:
    """Return the address of a relay that is given back at once. Raises `TransactionError`, `OSError` (also TLS's)."""
    user = _RelayUser()
    async with asyncio.timeout(ALLOCATION_LIMIT):
        transport, _ = await create_turn_endpoint(
            lambda: user,
            (uri.host, uri.port),
            server.username,
            server.credential,
            lifetime=_LIFETIME,
            ssl=uri.secure or None,
            transport=uri.transport,
        )
    address: str = transport.get_extra_info("sockname")[0]
    transport.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(user.closed.wait(), DELETION_LIMIT)
    return address


def _refusal(error: TransactionFailed, user: str, from_secret: bool, unix: float) -> tuple[RelayProblem, str]:
    code, reason = error.response.attributes.get("ERROR-CODE", (0, "no reason"))
    if code not in (_UNAUTHORIZED, _WRONG_CREDENTIALS):
        return RelayProblem.REFUSED, f"{code} {''.join(filter(str.isprintable, reason[:MAX_REASON]))}"
    if from_secret:
        return (RelayProblem.CLOCK if unix < EARLIEST_CLOCK else RelayProblem.CREDENTIALS), ""
    expiry = _EXPIRING.fullmatch(user)
    return (RelayProblem.EXPIRED if expiry and int(expiry[1]) < unix else RelayProblem.CREDENTIALS), ""


class _RelayUser(asyncio.DatagramProtocol):
    """The protocol above the relay; only waits for its end."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self.closed.set()
