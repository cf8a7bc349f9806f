"""A filtered UDP port without a network: tests pass datagrams to it, and what it sends is recorded."""

from __future__ import annotations

from aioice.candidate import Candidate
from aioice.stun import Class, Message, Method

from broadcaster.webrtc import internals
from broadcaster.webrtc.ice import IceConnection, IceContext
from broadcaster.webrtc.udp_port import DropReason, FilteredUdpPort
from tests.rigs.timetravel import TravelClock

VIEWER = ("192.0.2.7", 40000)
UNKNOWN = ("192.0.2.66", 666)
PASSWORD = "t" * 22
"""The viewer's ICE password."""


class RecordingTransport:
    """A transport that records what the port sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append((data, address))


class FilteredPortDriver:
    """Drives a port of a connection that has the viewer's password."""

    def __init__(self) -> None:
        self.clock = TravelClock()
        self.transport = RecordingTransport()
        self.connection = IceConnection(IceContext(self.clock), {}, ice_controlling=True)
        self.connection.remote_username, self.connection.remote_password = "them", PASSWORD
        self.port = self.make_port()

    def make_port(self) -> FilteredUdpPort:
        port = FilteredUdpPort(self.connection, self.connection._reception)
        port.connection_made(self.transport)
        port.local_candidate = Candidate("f", 1, "udp", 1, "192.0.2.1", 5000, "host")
        return port

    def take(self, data: bytes, address: tuple[str, int] = VIEWER) -> DropReason | None:
        """Pass a datagram to the port; return why it was dropped, or None."""
        before = self.connection.dropped.copy()
        self.port.datagram_received(data, address)
        (dropped,) = [*(self.connection.dropped - before), None][:1]
        return dropped

    def request(self, password: str | None = None, **attributes: object) -> bytes:
        """Return a check of the viewer, signed with our password unless another is given."""
        message = Message(Method.BINDING, Class.REQUEST)
        message.attributes["USERNAME"] = f"{self.connection.local_username}:them"
        message.attributes |= {"PRIORITY": 1, "ICE-CONTROLLED": 1} | attributes
        message.add_message_integrity((password or self.connection.local_password).encode())
        return bytes(message)

    def response(self, request: bytes, password: str, message_class: Class = Class.RESPONSE) -> bytes:
        """Return the viewer's response to our check."""
        message = Message(Method.BINDING, message_class, transaction_id=request[8:20])
        message.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.1", 5000)
        message.add_message_integrity(password.encode())
        return bytes(message)

    @property
    def queued(self) -> int:
        return internals.queued_datagrams(self.connection)
