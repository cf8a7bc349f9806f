"""Sending of protected packets: by one system call with offload, singly without, and each packet once."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from broadcaster.media.rtp import Batch
from broadcaster.webrtc.datagrams import DatagramSender

ADDRESS = ("192.0.2.7", 5000)
DATA = memoryview(b"a" * 10 + b"b" * 10 + b"c" * 4)
BATCHES = (Batch(0, 24, 10, 3),)
SINGLY = [b"a" * 10, b"b" * 10, b"c" * 4]


@dataclass
class Socket:
    """Records what is sent; `refuse` lists the errors of the next calls, None for success."""

    refuse: list[type[OSError] | OSError | None] = field(default_factory=list)
    batches: list[bytes] = field(default_factory=list)
    packets: list[bytes] = field(default_factory=list)
    closed: bool = False

    def dup(self) -> Socket:
        return self

    def close(self) -> None:
        self.closed = True

    def sendmsg(self, buffers, ancillary, flags, address) -> None:
        assert address == ADDRESS
        assert ancillary[0][:2] == (socket.IPPROTO_UDP, 103)
        self._refuse()
        self.batches.append(b"".join(map(bytes, buffers)))

    def sendto(self, data, address) -> int:
        assert address == ADDRESS
        self._refuse()
        self.packets.append(bytes(data))
        return len(data)

    def _refuse(self) -> None:
        if self.refuse and (error := self.refuse.pop(0)) is not None:
            raise error


def connection(out: Socket | None, *, kind: str = "host"):
    relayed: list[bytes] = []
    transport = SimpleNamespace(get_extra_info=lambda name: out, sendto=lambda data, address: relayed.append(data))
    protocol = SimpleNamespace(transport=transport)
    pair = SimpleNamespace(protocol=protocol, remote_addr=ADDRESS, local_candidate=SimpleNamespace(type=kind))
    return SimpleNamespace(_nominated={1: pair}, relayed=relayed)


def test_batch_is_sent_by_one_system_call():
    out = Socket()
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert (out.batches, out.packets) == ([bytes(DATA)], [])
    assert datagrams.bytes_sent == len(DATA)


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EMSGSIZE])
def test_packets_are_sent_singly_after_offload_has_failed(number):
    out = Socket(refuse=[OSError(number, "no")])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    datagrams.send_batches(DATA, BATCHES)
    assert (out.batches, out.packets) == ([], SINGLY * 2)
    assert datagrams.errors == 0


def test_single_packet_is_sent_without_offload():
    out = Socket()
    DatagramSender(connection(out)).send_batches(DATA[:10], (Batch(0, 10, 10, 1),))
    assert (out.batches, out.packets) == ([], [SINGLY[0]])


def test_packets_refused_by_a_full_socket_are_sent_later_unchanged():
    out = Socket(refuse=[BlockingIOError(), BlockingIOError()])
    datagrams = DatagramSender(connection(out))
    buffer = bytearray(DATA)
    datagrams.send_batches(memoryview(buffer), (*BATCHES, Batch(0, 10, 10, 1)))
    buffer[:] = bytes(len(buffer))
    assert not datagrams.flush()
    assert out.batches == []
    assert datagrams.flush()
    assert (out.batches, out.packets) == ([bytes(DATA)], [SINGLY[0]])


def test_single_packets_continue_where_the_socket_was_full():
    out = Socket(refuse=[OSError(errno.EIO, "no"), None, BlockingIOError()])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert out.packets == SINGLY[:1]
    assert datagrams.flush()
    assert out.packets == SINGLY


def test_rtcp_is_dropped_while_the_socket_is_full():
    out = Socket(refuse=[BlockingIOError(), BlockingIOError()])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    datagrams.send(b"report")
    assert not datagrams.flush()
    assert datagrams.flush()
    assert out.packets == []


def test_other_errors_are_counted_and_packets_dropped():
    out = Socket(refuse=[OSError(errno.ENETUNREACH, "no")])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.errors == 3
    assert datagrams.flush()


def test_errors_and_held_packets_are_counted():
    """The counts are the same with and without offload; packets that are held several times are counted once."""
    for first in ([], [OSError(errno.EIO, "no")]):
        out = Socket(refuse=[*first, *[OSError(errno.ENOBUFS, "no")] * 3])
        datagrams = DatagramSender(connection(out))
        datagrams.send_batches(DATA, BATCHES)
        assert datagrams.errors == 3
        out.refuse = [BlockingIOError()] * 3
        datagrams.send_batches(DATA, (*BATCHES, Batch(0, 10, 10, 1)))
        assert not datagrams.flush()
        assert datagrams.held == 4
        datagrams.send(b"audio")
        assert (datagrams.errors, datagrams.held) == (3, 4)


def test_rtcp_refused_by_a_full_socket_counts_as_an_error():
    datagrams = DatagramSender(connection(Socket(refuse=[BlockingIOError()])))
    datagrams.send(b"report")
    assert (datagrams.errors, datagrams.held) == (1, 0)


def test_packets_go_through_aioice_until_the_socket_can_be_duplicated(monkeypatch):
    out = Socket()
    monkeypatch.setattr(out, "dup", lambda: (_ for _ in ()).throw(OSError(errno.EMFILE, "no")), raising=False)
    ice = connection(out)
    datagrams = DatagramSender(ice)
    datagrams.send_batches(DATA, BATCHES)
    assert (datagrams.errors, out.batches, ice.relayed) == (0, [], SINGLY)
    monkeypatch.undo()
    datagrams.send_batches(DATA, BATCHES)
    assert (datagrams.errors, out.batches, ice.relayed) == (0, [bytes(DATA)], SINGLY)
    assert datagrams.bytes_sent == 2 * len(DATA)


def test_bytes_are_counted_once_when_accepted():
    out = Socket(refuse=[BlockingIOError(), OSError(errno.ENETUNREACH, "no")])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.bytes_sent == 0, "they are held"
    assert datagrams.flush()
    assert (datagrams.bytes_sent, datagrams.errors) == (0, 3), "the network was unreachable"
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.bytes_sent == len(DATA)
    out.refuse = [OSError(errno.EIO, "no"), None, BlockingIOError()]
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.bytes_sent == len(DATA) + len(SINGLY[0])
    assert datagrams.flush()
    assert datagrams.bytes_sent == 2 * len(DATA)


def test_packets_without_a_nominated_pair_are_errors():
    ice = connection(Socket())
    ice._nominated = {}
    datagrams = DatagramSender(ice)
    datagrams.send_batches(DATA, BATCHES)
    datagrams.send(b"report")
    assert (datagrams.bytes_sent, datagrams.errors) == (0, 4)


def test_packets_of_a_relayed_pair_go_through_the_relay():
    ice = connection(None, kind="relay")
    datagrams = DatagramSender(ice)
    datagrams.send_batches(DATA, BATCHES)
    assert ice.relayed == SINGLY
    assert datagrams.route == "relayed"


def test_relayed_packets_do_not_change_with_the_buffer():
    """aioice's TURN transport sends in a task of its own, when the buffer holds the packets of another burst."""
    ice = connection(None, kind="relay")
    buffer = bytearray(DATA)
    DatagramSender(ice).send_batches(memoryview(buffer), BATCHES)
    buffer[:] = bytes(len(buffer))
    assert ice.relayed == SINGLY


def test_changed_pair_is_used_and_a_missing_one_counted():
    first, second = Socket(), Socket()
    ice = connection(first)
    datagrams = DatagramSender(ice)
    datagrams.send(b"one")
    ice._nominated = connection(second)._nominated
    datagrams.send(b"two")
    assert (first.packets, first.closed, second.packets) == ([b"one"], True, [b"two"])
    ice._nominated = {}
    datagrams.send(b"three")
    assert (datagrams.errors, datagrams.route, second.closed) == (1, "", True)
    datagrams.close()
    datagrams.close()
