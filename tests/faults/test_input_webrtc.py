"""Bad SDP answers, candidates and datagrams to a real daemon, while a viewer watches."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from random import Random

import pytest

from broadcaster.errors import BadAnswer
from broadcaster.signaling.sdp import filter_answer
from broadcaster.webrtc.sockets import open_socket
from tests.faults.input_driver import (
    candidate,
    daemon_with_viewer,
    open_session,
    viewer_stats,
    watched_daemon,
)
from tests.faults.waiting import assert_clean
from tests.fuzz.random_input import random_datagram
from tests.rigs.process import footprint
from tests.unit.signaling_samples import CHROMIUM

pytestmark = pytest.mark.long

CHECK_SECONDS = 1.0
"""Seconds after which ICE has started to check its candidates."""


def bad_answers() -> list[str]:
    """Return answers that are invalid in different ways, the most expensive ones first."""
    fingerprint = next(line for line in CHROMIUM.splitlines() if line.startswith("a=fingerprint"))
    return [
        CHROMIUM + "a=x-" + "y" * 30_000,
        CHROMIUM + "a=x\r\n" * 290,
        CHROMIUM + "a=rtpmap:96 opus/48000/2\r\n" * 33,
        CHROMIUM + "a=rtcp-fb:96 nack\r\n" * 65,
        CHROMIUM + "a=rtcp-fb:96 " + "x" * 9000,
        "m=" * 8000,
        "\n" * 16_000,
        "",
        CHROMIUM + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n",
        CHROMIUM.replace("m=audio", "m=video"),
        CHROMIUM.replace(fingerprint, ""),
        CHROMIUM.replace("sha-256", "sha-1"),
        CHROMIUM.replace("a=setup:active", "a=setup:passive"),
        CHROMIUM.replace("a=setup:active", "a=setup:actpass"),
    ]


async def test_bad_answers_are_refused_at_once(record):
    times, filtering = [], []
    async with daemon_with_viewer() as daemon:
        before = await daemon.resources()
        for bad in bad_answers():
            async with open_session(daemon) as session:
                offer = await session.open()
                began = time.perf_counter()
                await session.send("answer", id=offer["id"], sdp=bad)
                assert (await session.receive("error"))["code"] == "bad-answer"
                times.append((time.perf_counter() - began) * 1000)
                filtering.append(min(filtering_time(offer["sdp"], bad) for _ in range(3)))
        await assert_clean(daemon, before)
        assert max(filtering) < 5
        assert statistics.median(times) < 50, "includes the round trip, on a busy machine"
    refused = f"refused by the filter in {statistics.median(filtering):.2f} ms, longest {max(filtering):.2f} ms"
    record(
        "answer",
        f"{len(times)} kinds {refused};"
        f" error received after {statistics.median(times):.1f} ms, with the round trip; clean",
    )


def filtering_time(offer: str, answer: str) -> float:
    """Return the milliseconds until the filter refuses the answer."""
    began = time.perf_counter()
    with pytest.raises(BadAnswer):
        filter_answer(offer, answer)
    return (time.perf_counter() - began) * 1000


async def test_forbidden_candidates_receive_no_packets(record):
    async with daemon_with_viewer() as daemon, open_session(daemon) as session:
        offer = await session.open()
        lines = [line.split() for line in offer["sdp"].splitlines() if line.startswith("a=candidate")]
        own = sorted({line[4] for line in lines})
        with listener() as (listening, port):
            addresses = [*own, "127.0.0.1", "::1", "::ffff:127.0.0.1", "224.0.0.251", "ff02::fb", "0.0.0.0", "::"]
            bad = [candidate(address, port) for address in [*addresses, "255.255.255.255"]]
            bad += [candidate("192.0.2.7", 1023), candidate("192.0.2.7", 9, "tcp"), candidate("rebound.example", 9999)]
            bad += ["candidate:", "x" * 600]
            reachable = [address for address in addresses if reaches(address, listening)]
            assert {*own, "127.0.0.1"} <= set(reachable)
            await session.send("answer", id=offer["id"], sdp=CHROMIUM)
            for text in bad:
                await session.send("candidate", id=offer["id"], candidate={"candidate": text})
            await session.send("heartbeat")
            await session.receive("heartbeat")
            (stats,) = [stats for stats in await viewer_stats(daemon) if not stats["connected"]]
            assert stats["candidates_dropped"] == len(bad) + 1, "including the host name in the answer"
            await asyncio.sleep(CHECK_SECONDS)
            assert not received(listening)
        record(
            "candidates",
            f"{len(bad)} kinds: dropped and counted; nothing is sent to the {len(reachable)} where the test can listen",
        )


@contextlib.contextmanager
def listener() -> Iterator[tuple[socket.socket, int]]:
    """Open a UDP port on every address of this machine, and on the multicast addresses of mDNS."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(("::", 0))
        listening.setblocking(False)
        with contextlib.suppress(OSError):  # without a network there is no multicast
            group = socket.inet_pton(socket.AF_INET6, "ff02::fb")
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("@I", 0))
            listening.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + bytes(4)
            )
        yield listening, listening.getsockname()[1]


def reaches(address: str, listening: socket.socket) -> bool:
    """Whether a datagram sent to `address` arrives at that socket."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as own, contextlib.suppress(OSError):
        own.sendto(b"?", (address, listening.getsockname()[1]))
    return received(listening)


def received(listening: socket.socket) -> bool:
    """Receive a datagram if there is one, or one arrives at once; return whether there was."""
    if not select.select([listening], [], [], 0.05)[0]:
        return False
    listening.recv(2048)
    return True


async def test_datagrams_of_unknown_senders_are_dropped(record):
    """Sent to every port of the viewer's peer connection."""
    random, count = Random(1), 20_000
    async with watched_daemon() as (daemon, viewer):
        offer = await viewer.message("offer")
        lines = [line.split() for line in offer["sdp"].splitlines() if line.startswith("a=candidate")]
        targets = sorted({(line[4], int(line[5])) for line in lines})
        before, memory = await daemon.resources(), footprint(daemon.pid).memory
        with contextlib.ExitStack() as stack:
            senders = [(stack.enter_context(open_socket(host, range(0))), (host, port)) for host, port in targets]
            for number in range(count):
                sender, target = senders[number % len(senders)]
                with contextlib.suppress(BlockingIOError):
                    sender.sendto(random_datagram(random) if number % 10 else b"", target)
                if number % 40 == 0:
                    await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)
        (stats,) = await viewer_stats(daemon)
        dropped = stats["peers"][0]["datagrams_dropped"]
        growth = footprint(daemon.pid).memory - memory
        await assert_clean(daemon, before)
        assert dropped > count / 4, "the kernel drops packets when the socket is full"
        effect = f"{viewer.gaps} gaps, longest pause {viewer.longest_pause * 1000:.0f} ms, memory {growth:+.1f} MB"
        record("datagrams", f"{count} sent, {dropped} arrived and were dropped, {effect}")
