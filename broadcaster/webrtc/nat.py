"""How NAT routers and STUN servers see this machine, and whether UDP gets out: measured for `broadcaster check`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ifaddr
from aioice.stun import Class, Message, Method, Transaction, TransactionError

from broadcaster.settings import IceSettings
from broadcaster.settings.ice_uris import ServerUri, parse_uri
from broadcaster.webrtc.interfaces import host_addresses, own_addresses
from broadcaster.webrtc.sockets import open_socket
from broadcaster.webrtc.udp_port import parse_stun

RESOLVE_LIMIT = 3.0
STUN_LIMIT = 3.0
"""Seconds to wait for an answer: aioice sends the request three times, after 0, 0.5 and 1.5 s."""
TCP_LIMIT = 3.0
MAX_SERVERS = 8
"""Servers to query, in the order of the settings."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class StunProbe:
    """The answers of one server over UDP, all to the same socket of ours.

    `found` is whether its name has an IPv4 address, the only kind that aioice queries; `by_name` whether it is a name.
    `mapped` is our address as seen at each of the server's addresses. `tcp` is whether a server that does not answer
    over UDP accepts TCP connections on the same port.
    """

    server: str
    by_name: bool = True
    found: bool = True
    mapped: Mapping[Address, Address] = field(default_factory=dict)
    tcp: bool = False


@dataclass(frozen=True, slots=True)
class NatProbe:
    """The answers of all servers, and the addresses of this machine."""

    own: frozenset[str]
    servers: tuple[StunProbe, ...]


async def probe_nat(settings: IceSettings) -> NatProbe:
    """Query all STUN servers, and TURN servers over UDP, which answer STUN requests too; takes at most 12 s.

    Raises `OSError` if this machine has no UDP socket.
    """
    adapters = list(ifaddr.get_adapters())
    offered = [address for address in host_addresses(adapters, settings.interfaces).offered if ":" not in address]
    local = offered[0] if settings.interfaces and offered else "0.0.0.0"
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(StunClient, sock=_open_socket(local, settings.ports))
    try:
        probes = await asyncio.gather(*(_probe_server(client, uri) for uri in _udp_servers(settings)))
    finally:
        transport.close()
    return NatProbe(own_addresses(adapters), tuple(probes))


class StunClient(asyncio.DatagramProtocol):
    """Sends STUN binding requests (RFC 8489) from one socket to any number of servers."""

    def __init__(self) -> None:
        self._transactions: dict[bytes, Transaction] = {}
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        """See `asyncio.DatagramProtocol`."""
        message = parse_stun(data)
        if message is None or message.message_class not in (Class.RESPONSE, Class.ERROR):
            return
        if transaction := self._transactions.get(message.transaction_id):
            transaction.response_received(message, address[:2])

    def send_stun(self, message: Message, address: Address) -> None:
        """Send a request; called by aioice's `Transaction`."""
        self._transport.sendto(bytes(message), address)

    async def bind(self, server: Address) -> Message | None:
        """Return the server's response; None without one, or with an error."""
        request = Message(Method.BINDING, Class.REQUEST)
        transaction = self._transactions[request.transaction_id] = Transaction(request, server, self)
        try:
            async with asyncio.timeout(STUN_LIMIT):
                response, _ = await transaction.run()
        except (TransactionError, TimeoutError, OSError):  # OSError: the network is unreachable
            return None
        else:
            return response
        finally:
            del self._transactions[request.transaction_id]


def _udp_servers(settings: IceSettings) -> Iterable[ServerUri]:
    uris = [parse_uri(url) for server in settings.servers for url in server.urls]
    udp = {(uri.host, uri.port): uri for uri in reversed(uris) if uri.transport == "udp" and not uri.secure}
    return list(reversed(udp.values()))[:MAX_SERVERS]


def _open_socket(local: str, ports: range) -> socket.socket:
    """Open a socket as for a viewer, or on any port if all of `ice.ports` are in use."""
    with contextlib.suppress(OSError):
        return open_socket(local, ports)
    return open_socket(local, range(0))


async def _probe_server(client: StunClient, uri: ServerUri) -> StunProbe:
    addresses = await _resolve(uri)
    by_name = addresses != [(uri.host, uri.port)]
    if not addresses:
        return StunProbe(uri.label, by_name, found=False)
    mapped: dict[Address, Address] = {}
    for answers in await asyncio.gather(*(_mappings(client, address) for address in addresses)):
        mapped |= answers
    tcp = not mapped and await _accepts_tcp(addresses[0])
    return StunProbe(uri.label, by_name, True, mapped, tcp)


async def _resolve(uri: ServerUri) -> list[Address]:
    """Return at most two IPv4 addresses of the server."""
    try:
        async with asyncio.timeout(RESOLVE_LIMIT):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(uri.host, uri.port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError, UnicodeError):  # UnicodeError: a label of more than 63 characters
        return []
    return [(str(address[0]), int(address[1])) for *_, address in found[:2]]


async def _mappings(client: StunClient, server: Address) -> dict[Address, Address]:
    """Return our mapped address at the server, and at its other address if it has one (RFC 5780 §4.3)."""
    response = await client.bind(server)
    mapped = response and _mapped(response)
    if not response or not mapped:
        return {}
    other = response.attributes.get("OTHER-ADDRESS")
    if other is None or other[0] == server[0]:
        return {server: mapped}
    alternative = (other[0], server[1])
    answer = await client.bind(alternative)
    mapped_there = answer and _mapped(answer)
    return {server: mapped} | ({alternative: mapped_there} if mapped_there else {})


def _mapped(response: Message) -> Address | None:
    """Return our address in a response; servers older than RFC 5389 do not encode it."""
    attributes = response.attributes
    mapped: Address | None = attributes.get("XOR-MAPPED-ADDRESS") or attributes.get("MAPPED-ADDRESS")
    return mapped


async def _accepts_tcp(server: Address) -> bool:
    try:
        async with asyncio.timeout(TCP_LIMIT):
            _, writer = await asyncio.open_connection(*server)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
