"""ICE on the configured interfaces and ports, with a time limit for gathering and filtered UDP ports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, relayed_candidate, server_reflexive_candidate
from aioice.stun import TransactionError

from broadcaster.auth.rate_limits import Rate, SlidingWindow
from broadcaster.errors import BroadcasterError
from broadcaster.ports import Clock
from broadcaster.settings import IceSettings
from broadcaster.webrtc import internals
from broadcaster.webrtc.interfaces import LOOPBACK, HostAddresses, KnownAddresses
from broadcaster.webrtc.servers import Servers, aioice_arguments
from broadcaster.webrtc.sockets import open_socket
from broadcaster.webrtc.udp_port import DropReason, FilteredUdpPort, Reception, drop_rtcp

log = logging.getLogger(__name__)

GATHERING_TIMEOUT = 1
"""Seconds to wait for STUN and TURN servers; the offer contains the candidates found by then."""

_WARNINGS = Rate(6, 60.0)
"""Warnings per minute: an unreachable server or an unplugged cable concerns every offer."""

ServerRequest = Coroutine[Any, Any, tuple[Candidate, StunProtocol | None]]


@dataclass(frozen=True, slots=True)
class IceContext:
    """What the ICE connections of all viewers share: the settings `ice.interfaces` and `ice.ports`, and their log."""

    clock: Clock
    interfaces: tuple[str, ...] = ()
    ports: range = range(0)
    warnings: SlidingWindow = field(default_factory=lambda: SlidingWindow(_WARNINGS))
    last_logged: list[str] = field(default_factory=list)
    known_addresses: KnownAddresses = field(default_factory=KnownAddresses)

    def warn(self, text: str) -> None:
        """Log a warning, rate-limited."""
        now = self.clock.monotonic()
        if not self.warnings.is_exhausted(now):
            self.warnings.spend(now)
            log.warning("ICE: %s", text)

    def find_addresses(self, reached_at: str) -> HostAddresses:
        """Return the addresses to offer to a viewer that reached us at this one, and all others."""
        return self.known_addresses.find(self.interfaces, reached_at, self.clock.monotonic())

    def log_once(self, text: str) -> None:
        """Log what applies to every offer, unless it is what was logged last."""
        if self.last_logged != [text]:
            self.last_logged[:] = [text]
            log.info("ICE: %s", text)


class IceConnection(Connection):
    """One viewer's ICE connection.

    `servers` are arguments for aioice's connection, from `servers.aioice_arguments`; `arguments` are aiortc's.
    `reached_at` is our address that the viewer's WebSocket connected to, if known: it is always offered.
    """

    def __init__(self, context: IceContext, servers: Mapping[str, Any], reached_at: str = "", **arguments: Any) -> None:
        super().__init__(**(arguments | dict(servers)))
        self._context = context
        self._reached_at = reached_at
        self._reception = Reception(context.clock)
        self._problems: list[str] = []
        self._checks: set[asyncio.Task[None]] = set()
        self._own_addresses: frozenset[str] = frozenset()

    @property
    def own_addresses(self) -> frozenset[str]:
        """All addresses of this machine at the time of gathering, offered or not.

        Server-reflexive and relayed ones are not included: viewers behind the same router or relay have them too.
        """
        return self._own_addresses

    @property
    def last_activity_at(self) -> float | None:
        """Monotonic time of the last authenticated datagram, or None."""
        return self._reception.last_activity_at

    def set_rtcp_handler(self, handler: Callable[[bytes], DropReason | None]) -> None:
        """Pass every SRTCP datagram to `handler` on arrival; it returns why it dropped one, or None."""
        self._reception.rtcp_handler = handler

    async def close(self) -> None:
        """Close the connection, and drop the reference to the RTCP handler, which is part of a cycle."""
        for check in self._checks:
            check.cancel()
        await super().close()
        self._reception.rtcp_handler = drop_rtcp

    def note_activity(self) -> None:
        """Record that an authenticated datagram other than STUN arrived now."""
        self._reception.note_activity()

    def check_consent(self) -> None:
        """Send a connectivity check on the nominated pair; a response is activity (RFC 7675 §5.1)."""
        check = asyncio.create_task(self._check_consent(), name="consent check")
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)

    async def _check_consent(self) -> None:
        pair = internals.nominated_pair(self)
        if pair is None or self.remote_password is None:
            return
        request, key = self.build_request(pair, nominate=False), self.remote_password.encode()
        with contextlib.suppress(TransactionError, OSError):
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=1)

    @property
    def dropped(self) -> Counter[DropReason]:
        """How many datagrams were dropped, by reason."""
        return self._reception.dropped

    @property
    def problems(self) -> tuple[str, ...]:
        """Descriptions of what failed while gathering."""
        return tuple(self._problems)

    async def gather_candidates(self) -> None:
        """Gather candidates; without a free file descriptor, not even the addresses can be listed.

        Raises `BroadcasterError`.
        """
        try:
            if internals.begin_gathering(self):
                internals.end_gathering(self, await self.get_component_candidates(internals.COMPONENT, []))
        except OSError as error:
            raise BroadcasterError(f"no candidates can be gathered: {error.strerror}") from error

    async def get_component_candidates(self, component: int, addresses: list[str], *_: object) -> list[Candidate]:
        """Open ports and query the servers; `addresses`, aioice's selection, is ignored.

        Raises `BroadcasterError` if there is no candidate at all.
        """
        ports = await self._open_ports(component)
        candidates = [port.local_candidate for port in ports]
        candidates += await self._query(self._server_requests(component, ports))
        if not candidates:
            raise BroadcasterError(f"viewers cannot reach this machine: {'; '.join(self._problems)}")
        for problem in self._problems:
            self._context.warn(problem)
        return candidates

    async def _open_ports(self, component: int) -> list[FilteredUdpPort]:
        """Open a port on each address to offer; on loopback if there is none, for viewers on this machine."""
        found = self._context.find_addresses(self._reached_at)
        self._own_addresses, addresses = found.own, self._choose(found)
        if not addresses and self._context.interfaces:
            self._problems.append(f"no address on {', '.join(self._context.interfaces)}")
        ports = []
        for address in addresses or (LOOPBACK,):
            try:
                ports.append(await self._open_port(component, address))
            except OSError as error:
                self._problems.append(f"no port on {address}: {error.strerror}")
        return ports

    def _choose(self, addresses: HostAddresses) -> tuple[str, ...]:
        """Return the addresses to offer, and log once if they are not all."""
        if len(addresses.offered) < addresses.networks:
            self._context.log_once(
                f"this machine is in {addresses.networks} networks, and viewers are offered its addresses in "
                f"{len(addresses.offered)} of them (ice.interfaces chooses others)"
            )
        return addresses.offered

    async def _open_port(self, component: int, address: str) -> FilteredUdpPort:
        opened = open_socket(address, self._context.ports)
        port = self._make_port()
        port.local_candidate = _host_candidate(component, *opened.getsockname()[:2])
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: port, sock=opened)
        internals.add_port(self, port)
        return port

    def _make_port(self) -> FilteredUdpPort:
        return FilteredUdpPort(self, self._reception)

    def _server_requests(self, component: int, ports: list[FilteredUdpPort]) -> dict[str, ServerRequest]:
        """Return the requests to STUN and TURN servers, by description; aioice's STUN is for IPv4 only."""
        requests: dict[str, ServerRequest] = {}
        if self.stun_server:
            for port in (port for port in ports if ":" not in port.local_candidate.host):
                name = f"STUN server {self.stun_server[0]} from {port.local_candidate.host}"
                requests[name] = server_reflexive_candidate(port, self.stun_server)
        if self.turn_server:
            requests[f"TURN server {self.turn_server[0]}"] = self._relay(component, self.turn_server)
        return requests

    async def _relay(self, component: int, server: tuple[str, int]) -> tuple[Candidate, StunProtocol]:
        candidate, port = await relayed_candidate(
            component=component,
            hide_related_address=False,
            protocol_factory=self._make_port,
            turn_server=server,
            turn_username=self.turn_username,
            turn_password=self.turn_password,
            turn_ssl=self.turn_ssl,
            turn_transport=self.turn_transport,
        )
        internals.add_port(self, port)
        return candidate, port

    async def _query(self, requests: dict[str, ServerRequest]) -> list[Candidate]:
        """Return the candidates found within the time limit; cancel all other requests, also if cancelled itself."""
        tasks = [asyncio.create_task(request, name=name) for name, request in requests.items()]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=GATHERING_TIMEOUT)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        candidates = []
        for name, result in zip(requests, results, strict=True):
            if isinstance(result, BaseException):
                self._problems.append(
                    f"no candidate from {name}: {str(result) or f'no answer within {GATHERING_TIMEOUT} s'}"
                )
            else:
                candidates.append(result[0])
        return candidates


def _host_candidate(component: int, host: str, port: int) -> Candidate:
    return Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "host"),
        host=host,
        port=port,
        type="host",
    )


@dataclass(frozen=True, slots=True)
class Gathered:
    """Candidates as type (RFC 8839 §5.1: host, srflx, relay) and address, and descriptions of what failed."""

    candidates: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


async def gather(settings: IceSettings, clock: Clock) -> Gathered:
    """Gather candidates exactly as for a viewer's offer, and close everything again."""
    servers = Servers(settings.servers, settings.turn_secret, clock).for_offer("check")
    context = IceContext(clock, settings.interfaces, settings.ports)
    connection = IceConnection(context, aioice_arguments(servers), ice_controlling=True)
    try:
        await connection.gather_candidates()
    except BroadcasterError as error:
        return Gathered((), (str(error),))
    else:
        candidates = tuple((candidate.type, candidate.host) for candidate in connection.local_candidates)
        return Gathered(candidates, connection.problems)
    finally:
        await connection.close()
