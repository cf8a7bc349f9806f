"""Protected packets out through the socket of the ICE pair in use, many with one system call."""

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
"""Linux's socket option, and type of control message, for UDP segmentation offload (linux/udp.h)."""

_NO_OFFLOAD = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
"""What a device without checksum offload, a path with a smaller MTU, or an old kernel answers."""


class Datagrams:
    """The way to one viewer. It is looked up at each call, because ICE may change it.

    `errors` counts packets that are lost because there was no way for them, or the kernel refused them, and `held`
    those that had to wait for a full socket; `bytes_sent` counts what the kernel, or the relay's transport, has taken.

    A direct pair has a socket of its own, shared with aioice by a duplicate; a relayed pair goes through aioice, and so
    does a direct one as long as there is no file descriptor left for the duplicate.
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
        """How packets reach the viewer now: `direct`, `relayed`, or nothing at all."""
        pair = nominated_pair(self._connection)
        if pair is None:
            return ""
        return "relayed" if pair.local_candidate.type == "relay" else "direct"

    @property
    def remote_address(self) -> str:
        """The address to which packets go now; empty without a way."""
        pair = nominated_pair(self._connection)
        return "" if pair is None else str(pair.remote_addr[0])

    def is_full(self) -> bool:
        """Whether the socket still refuses what it did not take the last time; what it takes now is sent."""
        if not self._held:
            return False
        held, self._held = self._held, []
        for index, (data, stride) in enumerate(held):
            self._send(memoryview(data), stride)
            if self._held:
                self._held += held[index + 1 :]
                return True
        return False

    def send_batches(self, view: memoryview, batches: Sequence[Batch]) -> None:
        """Send the batches of a burst that lies protected in `view`; what the socket refuses is kept for later.

        Bytes once protected must reach the viewer as they are, or their numbers are lost.
        """
        for batch in batches:
            if self._held:
                self._held.append((bytes(view[batch.start : batch.end]), batch.stride))
            else:
                self._send(view[batch.start : batch.end], batch.stride)
            if self._held:
                self.held += _count(*self._held[-1])

    def send(self, packet: bytes) -> None:
        """Send one packet that may as well be lost: RTCP, a retransmission, sound."""
        if not self._held:
            self._send(memoryview(packet), len(packet))
            self.errors += len(self._held)
            self._held.clear()

    def close(self) -> None:
        """Let go of the socket; idempotent."""
        self._held.clear()
        self._use(None)

    def _send(self, data: memoryview, stride: int) -> None:
        pair = nominated_pair(self._connection)
        if pair is not self._pair:
            pair = self._use(pair)
        if pair is None:
            self.errors += _count(data, stride)
        elif self._socket is None:
            for packet in _packets(data, stride):
                pair.protocol.transport.sendto(packet, self._address)
            self.bytes_sent += len(data)
        else:
            self._send_direct(self._socket, data, stride)

    def _use(self, pair: aioice.ice.CandidatePair | None) -> aioice.ice.CandidatePair | None:
        """Send by this pair from now on, and give it back; without a descriptor for its socket only this time."""
        if self._socket is not None:
            self._socket.close()
        self._pair = self._socket = None
        if pair is not None:
            self._address, self._offload = pair.remote_addr, True
            shared = pair.protocol.transport.get_extra_info("socket")
            try:
                self._socket = shared.dup() if shared is not None else None
            except OSError as error:
                log.debug("no socket for a viewer: %s", error)
            else:
                self._pair = pair
        return pair

    def _send_direct(self, out: socket.socket, data: memoryview, stride: int) -> None:
        if len(data) > stride and self._offload:
            try:
                out.sendmsg([data], _segments_of(stride), 0, self._address)
                self.bytes_sent += len(data)
                return
            except BlockingIOError:
                self._held.append((bytes(data), stride))
                return
            except OSError as error:
                if error.errno not in _NO_OFFLOAD:
                    self.errors += _count(data, stride)
                    return
                self._offload = False
        self._send_singly(out, data, stride)

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
def _segments_of(stride: int) -> list[tuple[int, int, bytes]]:
    """The control message that lets the kernel cut a batch into packets of `stride` bytes."""
    return [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", stride))]


def _count(data: bytes | memoryview, stride: int) -> int:
    return -(-len(data) // stride)


def _packets(data: memoryview, stride: int) -> Iterator[memoryview]:
    return (data[offset : offset + stride] for offset in range(0, len(data), stride))
