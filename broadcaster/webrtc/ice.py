"""The ICE connection as this daemon wants it: on the interfaces and ports of the settings, quick, and guarded."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ifaddr
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, relayed_candidate, server_reflexive_candidate

from broadcaster.auth.rate_limits import Rate, SlidingWindow
from broadcaster.errors import BroadcasterError
from broadcaster.ports import Clock
from broadcaster.settings import IceSettings
from broadcaster.webrtc import internals
from broadcaster.webrtc.interfaces import LOOPBACK, host_addresses, own_addresses, short_lived_addresses
from broadcaster.webrtc.servers import Servers, own_servers
from broadcaster.webrtc.sockets import open_socket
from broadcaster.webrtc.udp_port import DropReason, FilteredUdpPort, Reception, refuse_rtcp

log = logging.getLogger(__name__)

GATHERING_LIMIT = 1
"""Seconds to wait for STUN and TURN servers; the offer goes out with what was found by then."""

_WARNINGS = Rate(6, 60.0)
"""A server that is away, or a cable that is out, concerns every offer; six lines a minute say so."""

Search = Coroutine[Any, Any, tuple[Candidate, StunProtocol | None]]


@dataclass(frozen=True, slots=True)
class IceContext:
    """What the ICE connections of all viewers share: `ice.interfaces` and `ice.ports`."""

    clock: Clock
    interfaces: tuple[str, ...] = ()
    ports: range = range(0)
    warnings: SlidingWindow = field(default_factory=lambda: SlidingWindow(_WARNINGS))
    noted: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Say what is wrong, but not at every offer."""
        now = self.clock.monotonic()
        if not self.warnings.is_exhausted(now):
            self.warnings.spend(now)
            log.warning("ICE: %s", text)

    def note(self, text: str) -> None:
        """Log what holds for every offer, when it has changed."""
        if self.noted != [text]:
            self.noted[:] = [text]
            log.info("ICE: %s", text)


class IceConnection(Connection):
    """One viewer's ICE connection.

    `servers` are arguments of aioice's connection, as `servers.own_servers` makes them; `arguments` are aiortc's.
    `reached_at` is our address that the viewer's WebSocket came to, if that is known: it is offered in any case.
    """

    def __init__(self, room: IceContext, servers: Mapping[str, Any], reached_at: str = "", **arguments: Any) -> None:
        super().__init__(**(arguments | dict(servers)))
        self._room = room
        self._reached_at = reached_at
        self._reception = Reception(room.clock)
        self._problems: list[str] = []
        self._own_addresses: frozenset[str] = frozenset()

    @property
    def own_addresses(self) -> frozenset[str]:
        """All of this machine, offered or not, as they were while gathering.

        Not those that STUN and TURN servers gave us: viewers behind the same router or relay have them too.
        """
        return self._own_addresses

    @property
    def heard_at(self) -> float | None:
        """Monotonic time of the last authentic sign of life, or None."""
        return self._reception.heard_at

    def listen_to_rtcp(self, take: Callable[[bytes], DropReason | None]) -> None:
        """Let `take` have every SRTCP datagram at once; it says why it did not take one, or None."""
        self._reception.take_rtcp = take

    async def close(self) -> None:
        """Close the connection, and drop the reference to the RTCP handler, which is part of a cycle."""
        await super().close()
        self._reception.take_rtcp = refuse_rtcp

    def hear(self) -> None:
        """Note an authentic sign of life that came by other means than STUN."""
        self._reception.hear()

    @property
    def dropped(self) -> Counter[DropReason]:
        """How many datagrams were not taken, by reason."""
        return self._reception.dropped

    @property
    def problems(self) -> tuple[str, ...]:
        """Why some ways were not found while gathering, for people."""
        return tuple(self._problems)

    async def get_component_candidates(self, component: int, addresses: list[str], *_: object) -> list[Candidate]:
        """Open our ports, and ask the servers; `addresses` are aioice's choice, not ours.

        Raises `BroadcasterError` when there is no way in at all.
        """
        ports = await self._open_ports(component)
        found = [port.local_candidate for port in ports] + await self._search(self._searches(component, ports))
        if not found:
            raise BroadcasterError(f"no way from viewers to here: {'; '.join(self._problems)}")
        for problem in self._problems:
            self._room.warn(problem)
        return found

    async def _open_ports(self, component: int) -> list[FilteredUdpPort]:
        """A port on each address; a machine without any still shows the stream to itself."""
        adapters = list(ifaddr.get_adapters())
        self._own_addresses = own_addresses(adapters)
        addresses = self._choose(adapters)
        if not addresses and self._room.interfaces:
            self._problems.append(f"no address on {', '.join(self._room.interfaces)}")
        ports = []
        for address in addresses or (LOOPBACK,):
            try:
                ports.append(await self._open_port(component, address))
            except OSError as error:
                self._problems.append(f"no port on {address}: {error.strerror}")
        return ports

    def _choose(self, adapters: Sequence[ifaddr.Adapter]) -> tuple[str, ...]:
        """Choose the addresses to offer."""
        found = host_addresses(adapters, self._room.interfaces, (self._reached_at,), short_lived_addresses())
        if len(found.offered) < found.networks:
            self._room.note(
                f"this machine is in {found.networks} networks, and viewers are offered its addresses in "
                f"{len(found.offered)} of them (ice.interfaces chooses others)"
            )
        return found.offered

    async def _open_port(self, component: int, address: str) -> FilteredUdpPort:
        opened = open_socket(address, self._room.ports)
        port = self._make_port()
        port.local_candidate = _host_candidate(component, *opened.getsockname()[:2])
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: port, sock=opened)
        internals.adopt(self, port)
        return port

    def _make_port(self) -> FilteredUdpPort:
        return FilteredUdpPort(self, self._reception)

    def _searches(self, component: int, ports: list[FilteredUdpPort]) -> dict[str, Search]:
        """What to ask of STUN (aioice does so over IPv4 only, and IPv6 needs none) and TURN, by its name for people."""
        searches: dict[str, Search] = {}
        if self.stun_server:
            for port in (port for port in ports if ":" not in port.local_candidate.host):
                name = f"STUN server {self.stun_server[0]} from {port.local_candidate.host}"
                searches[name] = server_reflexive_candidate(port, self.stun_server)
        if self.turn_server:
            searches[f"TURN server {self.turn_server[0]}"] = self._relay(component, self.turn_server)
        return searches

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
        internals.adopt(self, port)
        return candidate, port

    async def _search(self, searches: dict[str, Search]) -> list[Candidate]:
        """The candidates found in time; nothing goes on after that, nor when nobody waits any more."""
        tasks = [asyncio.create_task(search, name=name) for name, search in searches.items()]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=GATHERING_LIMIT)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        found = []
        for name, result in zip(searches, results, strict=True):
            if isinstance(result, BaseException):
                self._problems.append(f"nothing from {name}: {str(result) or f'no answer within {GATHERING_LIMIT} s'}")
            else:
                found.append(result[0])
        return found


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
    """Candidates as kind (RFC 8445 §5.3: host, srflx, relay) and address, and what went wrong on the way."""

    candidates: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


async def gather(settings: IceSettings, clock: Clock) -> Gathered:
    """Open ports and ask servers exactly as for a viewer's offer; everything is closed again."""
    servers = Servers(settings.servers, settings.turn_secret, clock).for_offer("check")
    room = IceContext(clock, settings.interfaces, settings.ports)
    connection = IceConnection(room, own_servers(servers), ice_controlling=True)
    try:
        await connection.gather_candidates()
    except BroadcasterError as error:
        return Gathered((), (str(error),))
    else:
        candidates = tuple((one.type, one.host) for one in connection.local_candidates)
        return Gathered(candidates, connection.problems)
    finally:
        await connection.close()
