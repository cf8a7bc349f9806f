"""How protected packets leave: in one call where the kernel cuts them, singly elsewhere, and never twice."""

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
    """Notes what is sent; `refuse` lists the errors of the coming calls, None for success."""

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
    transport = SimpleNamespace(
        get_extra_info=lambda name: out, sendto=lambda data, address: relayed.append(bytes(data))
    )
    protocol = SimpleNamespace(transport=transport)
    pair = SimpleNamespace(protocol=protocol, remote_addr=ADDRESS, local_candidate=SimpleNamespace(type=kind))
    return SimpleNamespace(_nominated={1: pair}, relayed=relayed)


def test_a_batch_is_one_system_call():
    out = Socket()
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert (out.batches, out.packets) == ([bytes(DATA)], [])
    assert datagrams.bytes_sent == len(DATA)


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EMSGSIZE])
def test_without_offload_packets_go_singly_from_then_on(number):
    out = Socket(refuse=[OSError(number, "no")])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    datagrams.send_batches(DATA, BATCHES)
    assert (out.batches, out.packets) == ([], SINGLY * 2)
    assert datagrams.errors == 0


def test_a_single_packet_needs_no_offload():
    out = Socket()
    DatagramSender(connection(out)).send_batches(DATA[:10], (Batch(0, 10, 10, 1),))
    assert (out.batches, out.packets) == ([], [SINGLY[0]])


def test_what_a_full_socket_refuses_is_sent_later_as_it_was():
    out = Socket(refuse=[BlockingIOError(), BlockingIOError()])
    datagrams = DatagramSender(connection(out))
    scratch = bytearray(DATA)
    datagrams.send_batches(memoryview(scratch), (*BATCHES, Batch(0, 10, 10, 1)))
    scratch[:] = bytes(len(scratch))
    assert not datagrams.flush()
    assert out.batches == []
    assert datagrams.flush()
    assert (out.batches, out.packets) == ([bytes(DATA)], [SINGLY[0]])


def test_singly_it_goes_on_where_the_socket_was_full():
    out = Socket(refuse=[OSError(errno.EIO, "no"), None, BlockingIOError()])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert out.packets == SINGLY[:1]
    assert datagrams.flush()
    assert out.packets == SINGLY


def test_what_may_be_lost_does_not_wait_behind_a_full_socket():
    out = Socket(refuse=[BlockingIOError(), BlockingIOError()])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    datagrams.send(b"report")
    assert not datagrams.flush()
    assert datagrams.flush()
    assert out.packets == []


def test_other_errors_are_counted_and_forgotten():
    out = Socket(refuse=[OSError(errno.ENETUNREACH, "no")])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.errors == 3
    assert datagrams.flush()


def test_every_packet_is_counted_that_is_refused_or_must_wait():
    """With and without offload the figures are the same; what waits longer is counted once."""
    for first in ([], [OSError(errno.EIO, "no")]):
        out = Socket(refuse=[*first, *[OSError(errno.ENOBUFS, "no")] * 3])
        datagrams = DatagramSender(connection(out))
        datagrams.send_batches(DATA, BATCHES)
        assert datagrams.errors == 3
        out.refuse = [BlockingIOError()] * 3
        datagrams.send_batches(DATA, (*BATCHES, Batch(0, 10, 10, 1)))
        assert not datagrams.flush()
        assert datagrams.held == 4
        datagrams.send(b"sound")
        assert (datagrams.errors, datagrams.held) == (3, 4)


def test_a_report_that_finds_the_socket_full_is_an_error():
    datagrams = DatagramSender(connection(Socket(refuse=[BlockingIOError()])))
    datagrams.send(b"report")
    assert (datagrams.errors, datagrams.held) == (1, 0)


def test_without_a_descriptor_for_its_socket_packets_go_through_aioice_until_there_is_one(monkeypatch):
    out = Socket()
    monkeypatch.setattr(out, "dup", lambda: (_ for _ in ()).throw(OSError(errno.EMFILE, "no")), raising=False)
    room = connection(out)
    datagrams = DatagramSender(room)
    datagrams.send_batches(DATA, BATCHES)
    assert (datagrams.errors, out.batches, room.relayed) == (0, [], SINGLY)
    monkeypatch.undo()
    datagrams.send_batches(DATA, BATCHES)
    assert (datagrams.errors, out.batches, room.relayed) == (0, [bytes(DATA)], SINGLY)
    assert datagrams.bytes_sent == 2 * len(DATA)


def test_bytes_count_as_sent_when_they_are_taken_and_once():
    out = Socket(refuse=[BlockingIOError(), OSError(errno.ENETUNREACH, "no")])
    datagrams = DatagramSender(connection(out))
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.bytes_sent == 0, "they wait"
    assert datagrams.flush()
    assert (datagrams.bytes_sent, datagrams.errors) == (0, 3), "there was no way for them"
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.bytes_sent == len(DATA)
    out.refuse = [OSError(errno.EIO, "no"), None, BlockingIOError()]
    datagrams.send_batches(DATA, BATCHES)
    assert datagrams.bytes_sent == len(DATA) + len(SINGLY[0])
    assert datagrams.flush()
    assert datagrams.bytes_sent == 2 * len(DATA)


def test_nothing_is_sent_without_a_way():
    room = connection(Socket())
    room._nominated = {}
    datagrams = DatagramSender(room)
    datagrams.send_batches(DATA, BATCHES)
    datagrams.send(b"report")
    assert (datagrams.bytes_sent, datagrams.errors) == (0, 4)


def test_a_relayed_pair_goes_through_the_relay():
    room = connection(None, kind="relay")
    datagrams = DatagramSender(room)
    datagrams.send_batches(DATA, BATCHES)
    assert room.relayed == SINGLY
    assert datagrams.route == "relayed"


def test_a_changed_pair_is_followed_and_a_vanished_one_counted():
    first, second = Socket(), Socket()
    room = connection(first)
    datagrams = DatagramSender(room)
    datagrams.send(b"one")
    room._nominated = connection(second)._nominated
    datagrams.send(b"two")
    assert (first.packets, first.closed, second.packets) == ([b"one"], True, [b"two"])
    room._nominated = {}
    datagrams.send(b"three")
    assert (datagrams.errors, datagrams.route, second.closed) == (1, "", True)
    datagrams.close()
    datagrams.close()
