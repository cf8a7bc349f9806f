"""Hostile input in bulk: datagrams into the ports of a viewer who watches, messages into sessions and WebSockets."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from aiortc.contrib.media import MediaBlackhole

from broadcaster.webrtc import internals
from broadcaster.webrtc.ice import IceConnection
from tests.bench.figures import Figure
from tests.bench.options import Options
from tests.edges.webrtc_rig import inbound, on_air
from tests.faults.table import Row, with_figures
from tests.fuzz.making import make_datagram, make_message
from tests.fuzz.signaling import Book
from tests.rigs.light_process import LightProcess
from tests.rigs.process import Footprint, footprint
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.talker import ORDERLY, talk

DATAGRAMS = 1_000_000
MESSAGES = 70_000
SPOKEN = 30_000
BREATH = 50
"""Datagrams after which the loop sees to others, too."""

README = Path(__file__).parents[1] / "README.md"
COMMAND = "make bench ARGS='hostile --publish'"
ROWS = {
    "datagrams": Row("at the port of a viewer who watches, a fifth of them from its own address", "0 failures, 0 lost"),
    "messages": Row("into session machines, as fast as it goes", "0 failures"),
    "WebSockets": Row("to a daemon as a process, while somebody watches", "0 failures, 0 gaps, nothing left"),
}


async def measure(options: Options) -> list[Figure]:
    """The same seed is the same input."""
    chance = Random(options.seed)
    datagrams, messages, spoken = await _datagrams(chance), _messages(chance), await _spoken(chance)
    if options.publish:
        _publish({"datagrams": datagrams, "messages": [messages], "WebSockets": spoken})
    return [*datagrams, messages, *spoken]


def _publish(found: Mapping[str, Sequence[Figure]]) -> None:
    """Write the figures into the table of the README."""
    figures = {row: [f"{figure.what.strip()}: {figure.value}" for figure in lines] for row, lines in found.items()}
    README.write_text(with_figures(README.read_text("utf-8"), "bulk", ROWS, figures, COMMAND), "utf-8")


async def _datagrams(chance: Random) -> list[Figure]:
    """From strangers, and every fifth from where the viewer's own come from."""
    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context))
    async with on_air() as rig:
        ours, theirs, listener = await rig.join()
        screen = MediaBlackhole()  # or what it decodes would pile up
        for receiver in theirs.getReceivers():
            screen.addTrack(receiver.track)
        await screen.start()
        connection = internals.ice_connection(ours._transport)
        assert isinstance(connection, IceConnection)
        pair = internals.nominated_pair(connection)
        assert pair is not None
        await _feed(pair.protocol, pair.remote_addr, chance, DATAGRAMS // 100)
        before, began = footprint(os.getpid()), time.monotonic()
        seen, dropped = (await inbound(theirs))["video"][0], connection.dropped.copy()
        raised = await _feed(pair.protocol, pair.remote_addr, chance, DATAGRAMS)
        seconds, after = time.monotonic() - began, footprint(os.getpid())
        await asyncio.sleep(1)
        received, lost = (await inbound(theirs))["video"]
        by_reason = connection.dropped - dropped
        still = not listener.lost.is_set() and ours.is_listening(time.monotonic()) and received > seen
        await screen.stop()
        await theirs.close()
        await ours.close()
    failures = raised + len(caught) + (not still)
    reasons = ", ".join(f"{reason} {number}" for reason, number in by_reason.most_common())
    return [
        Figure(
            f"{DATAGRAMS} datagrams at a viewer's port",
            f"{failures} failures, {seconds:.0f} s",
            "0 failures",
            failed=failures > 0,
        ),
        Figure("  the viewer meanwhile", f"{received - seen} packets, {lost} lost", "0 lost", failed=lost > 0),
        Figure("  not taken", reasons),
        Figure("  memory, descriptors", _grown(before, after), "no growth"),
    ]


async def _feed(port: asyncio.DatagramProtocol, viewer: tuple[str, int], chance: Random, count: int) -> int:
    """Give them to the port; how many it raised something for."""
    raised = 0
    for number in range(count):
        address = viewer if number % 5 == 0 else (f"198.51.100.{chance.randrange(256)}", chance.randrange(1, 65536))
        try:
            port.datagram_received(make_datagram(chance), address)
        except Exception as error:  # noqa: BLE001
            print(f"raised {error!r}")
            raised += 1
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return raised


def _messages(chance: Random) -> Figure:
    """To one session after the other, as fast as it goes; the time between them is made up."""
    before, began = footprint(os.getpid()), time.monotonic()
    failures, sessions, book = 0, 1, Book()
    for _ in range(MESSAGES):
        try:
            book.receive(make_message(chance))
        except Exception as error:  # noqa: BLE001
            print(f"raised {error!r}")
            failures += 1
        if book.session.is_over:
            sessions, book = sessions + 1, Book()
    seconds, grown = time.monotonic() - began, _grown(before, footprint(os.getpid()))
    return Figure(
        f"{MESSAGES} messages to session machines",
        f"{failures} failures, {sessions} sessions, {seconds:.0f} s; {grown}",
        "0 failures",
        failed=failures > 0,
    )


async def _spoken(chance: Random) -> list[Figure]:
    """Over real WebSockets to a daemon as a process, while somebody watches."""
    async with ScriptedDaemon(web__max_viewers=20) as daemon, LightProcess(daemon.port) as viewer:
        await asyncio.sleep(1)
        await _crowd(daemon.port, chance, SPOKEN // 10)
        await asyncio.sleep(2)
        before, held, began = footprint(daemon.pid), await daemon.held(), time.monotonic()
        ends = await _crowd(daemon.port, chance, SPOKEN)
        seconds = time.monotonic() - began
        await asyncio.sleep(2)
        after, left, viewers = footprint(daemon.pid), await daemon.held(), (await daemon.status())["viewers"]
        gaps = (await viewer.figures())["gaps"]
        failures = sum(number for code, number in ends.items() if code not in ORDERLY)
        failures += daemon.log.count("Traceback") + daemon.log.count("ended by")
    said = ", ".join(f"{code}: {number}" for code, number in ends.most_common())
    return [
        Figure(
            f"{SPOKEN} messages over {ends.total()} WebSockets",
            f"{failures} failures, {seconds:.0f} s",
            "0 failures",
            failed=failures > 0,
        ),
        Figure("  closed with", said),
        Figure(
            "  the viewer meanwhile",
            f"{gaps} gaps, {viewers} viewers at the end",
            "0 gaps, 1",
            failed=(gaps, viewers) != (0, 1),
        ),
        Figure("  left in the daemon", f"{_grown(before, after)}, tasks {left['tasks'] - held['tasks']:+d}", "nothing"),
    ]


async def _crowd(port: int, chance: Random, messages: int) -> Counter[int | None]:
    """Some at a time; how their WebSockets were closed."""
    left, ends = messages, Counter[int | None]()

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            said = [make_message(chance) for _ in range(min(left, 9))]
            left -= len(said)
            ends[await talk(port, said, hello=chance.random() < 0.8)] += 1

    await asyncio.gather(*(one_after_the_other() for _ in range(6)))
    return ends


def _grown(before: Footprint, after: Footprint) -> str:
    return (
        f"memory {before.memory:.0f} → {after.memory:.0f} MB, descriptors {after.descriptors - before.descriptors:+d}"
    )
