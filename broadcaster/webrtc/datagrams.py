"""Sending of protected packets through the socket of the nominated ICE pair, many by one system call (UDP GSO)."""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Iterator, Sequence
from functools import cache

import aioice.ice

from broadcaster.media.rtp import Batch
from broadcaster.webrtc.internals import nominated_pair

log = logging.getLogger(__name__)

_UDP_SEGMENT = 103
"""Linux's socket option, and control message type, for UDP segmentation offload (linux/udp.h)."""

_NO_OFFLOAD = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
"""Errors of a device without checksum offload, of a path with a smaller MTU, and of old kernels."""


class DatagramSender:
    """Sends to one viewer. The nominated pair is looked up at each call, because ICE may change it.

    `errors` counts packets that were lost because there was no nominated pair, or because the kernel refused them;
    `held` those that had to wait for a full socket; `bytes_sent` what the kernel or the relay's transport has accepted.

    For a direct pair, aioice's socket is duplicated. A relayed pair is sent to through aioice, and so is a direct one
    while no file descriptor is left for the duplicate.
    """

    def __init__(self, connection: aioice.ice.Connection) -> None:
        self.errors = 0
        self.held = 0
        self.bytes_sent = 0
        self._connection = connection
        self._pair: aioice.ice.CandidatePair | None = None
        self._socket: socket.socket | None = None
        self._address = ("", 0)
        self._offload = True
        self._held: list[tuple[bytes, int]] = []

    @property
    def route(self) -> str:
        """How packets reach the viewer now: `direct`, `relayed`, or empty without a nominated pair."""
        pair = nominated_pair(self._connection)
        if pair is None:
            return ""
        return "relayed" if pair.local_candidate.type == "relay" else "direct"

    @property
    def remote_address(self) -> str:
        """The address to which packets are sent now; empty without a nominated pair."""
        pair = nominated_pair(self._connection)
        return "" if pair is None else str(pair.remote_addr[0])

    def flush(self) -> bool:
        """Send what was held back because the socket was full; return False if it is still full."""
        if not self._held:
            return True
        held, self._held = self._held, []
        for index, (data, stride) in enumerate(held):
            self._send(memoryview(data), stride)
            if self._held:
                self._held += held[index + 1 :]
                return False
        return True

    def send_batches(self, view: memoryview, batches: Sequence[Batch]) -> None:
        """Send the protected batches of a burst in `view`; hold back a copy of those that a full socket refuses.

        Once protected, packets must be sent as they are: their sequence numbers cannot be used again.
        """
        for batch in batches:
            if self._held:
                self._held.append((bytes(view[batch.start : batch.end]), batch.stride))
            else:
                self._send(view[batch.start : batch.end], batch.stride)
            if self._held:
                self.held += _packet_count(*self._held[-1])

    def send(self, packet: bytes) -> None:
        """Send one packet whose loss is acceptable (RTCP, a retransmission); a full socket drops it."""
        if not self._held:
            self._send(memoryview(packet), len(packet))
            self.errors += len(self._held)
            self._held.clear()

    def close(self) -> None:
        """Close the duplicated socket; idempotent."""
        self._held.clear()
        self._select(None)

    def _send(self, data: memoryview, stride: int) -> None:
        pair = nominated_pair(self._connection)
        if pair is not self._pair:
            pair = self._select(pair)
        if pair is None:
            self.errors += _packet_count(data, stride)
        elif self._socket is None:
            for packet in _packets(data, stride):
                # A copy, because a TURN transport sends it later, when the buffer has other contents.
                pair.protocol.transport.sendto(bytes(packet), self._address)
            self.bytes_sent += len(data)
        else:
            self._send_direct(self._socket, data, stride)

    def _select(self, pair: aioice.ice.CandidatePair | None) -> aioice.ice.CandidatePair | None:
        """Send by `pair` from now on, and return it; without a file descriptor for its socket, try again next time."""
        if self._socket is not None:
            self._socket.close()
        self._pair = self._socket = None
        if pair is not None:
            self._address, self._offload = pair.remote_addr, True
            shared = pair.protocol.transport.get_extra_info("socket")
            try:
                self._socket = shared.dup() if shared is not None else None
            except OSError as error:
                log.debug("cannot duplicate the socket of a viewer: %s", error)
            else:
                self._pair = pair
        return pair

    def _send_direct(self, out: socket.socket, data: memoryview, stride: int) -> None:
        try:
            if len(data) <= stride:
                out.sendto(data, self._address)
            elif self._offload:
                out.sendmsg([data], _segment_size(stride), 0, self._address)
            else:
                return self._send_singly(out, data, stride)
            self.bytes_sent += len(data)
        except BlockingIOError:
            self._held.append((bytes(data), stride))
        except OSError as error:
            if len(data) > stride and error.errno in _NO_OFFLOAD:
                self._offload = False
                self._send_singly(out, data, stride)
            else:
                self.errors += _packet_count(data, stride)

    def _send_singly(self, out: socket.socket, data: memoryview, stride: int) -> None:
        for offset in range(0, len(data), stride):
            try:
                self.bytes_sent += out.sendto(data[offset : offset + stride], self._address)
            except BlockingIOError:
                self._held.append((bytes(data[offset:]), stride))
                return
            except OSError:
                self.errors += 1


@cache
def _segment_size(stride: int) -> list[tuple[int, int, bytes]]:
    """Return the control message that makes the kernel split a batch into packets of `stride` bytes."""
    return [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", stride))]


def _packet_count(data: bytes | memoryview, stride: int) -> int:
    return -(-len(data) // stride)


def _packets(data: memoryview, stride: int) -> Iterator[memoryview]:
    return (data[offset : offset + stride] for offset in range(0, len(data), stride))
