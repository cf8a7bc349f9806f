"""Hostile input in bulk: datagrams to the ports of a viewer, messages to sessions, messages over WebSockets."""

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
from tests.bench.measurement import Options, Result
from tests.edges.webrtc_driver import inbound, live
from tests.faults.table import Row, with_results
from tests.fuzz.random_input import random_datagram, random_message
from tests.fuzz.signaling import CheckedSession
from tests.rigs.light_process import LightProcess
from tests.rigs.process import Footprint, footprint
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.talker import ORDERLY, talk

DATAGRAMS = 1_000_000
MESSAGES = 70_000
WEBSOCKET_MESSAGES = 30_000
BATCH = 50
"""Datagrams between two yields to the event loop."""

README = Path(__file__).parents[1] / "README.md"
COMMAND = "make bench ARGS='hostile --publish'"
ROWS = {
    "datagrams": Row(
        "to the port of a viewer who watches, one fifth of them from its own address", "0 failures, 0 lost"
    ),
    "messages": Row("to session state machines, as fast as possible", "0 failures"),
    "WebSockets": Row("to a daemon process, while somebody watches", "0 failures, 0 gaps, nothing left"),
}


async def measure(options: Options) -> list[Result]:
    """The seed determines the input."""
    random = Random(options.seed)
    datagrams, messages, websockets = await _datagrams(random), _messages(random), await _websockets(random)
    if options.publish:
        _publish({"datagrams": datagrams, "messages": [messages], "WebSockets": websockets})
    return [*datagrams, messages, *websockets]


def _publish(results: Mapping[str, Sequence[Result]]) -> None:
    """Write the results into the table of tests/README.md."""
    texts = {row: [f"{result.name.strip()}: {result.value}" for result in lines] for row, lines in results.items()}
    README.write_text(with_results(README.read_text("utf-8"), "bulk", ROWS, texts, COMMAND), "utf-8")


async def _datagrams(random: Random) -> list[Result]:
    """Send from unknown addresses, and every fifth datagram from the viewer's own."""
    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context))
    async with live() as driver:
        ours, theirs, listener = await driver.join()
        sink = MediaBlackhole()  # otherwise decoded frames would pile up
        for receiver in theirs.getReceivers():
            sink.addTrack(receiver.track)
        await sink.start()
        connection = internals.ice_connection(ours._transport)
        assert isinstance(connection, IceConnection)
        pair = internals.nominated_pair(connection)
        assert pair is not None
        await _feed(pair.protocol, pair.remote_addr, random, DATAGRAMS // 100)
        before, began = footprint(os.getpid()), time.monotonic()
        received_before, dropped = inbound(theirs)["video"][0], connection.dropped.copy()
        raised = await _feed(pair.protocol, pair.remote_addr, random, DATAGRAMS)
        seconds, after = time.monotonic() - began, footprint(os.getpid())
        await asyncio.sleep(1)
        received, lost = inbound(theirs)["video"]
        by_reason = connection.dropped - dropped
        is_watching = not listener.lost.is_set() and ours.is_listening(time.monotonic()) and received > received_before
        await sink.stop()
        await theirs.close()
        await ours.close()
    failures = raised + len(caught) + (not is_watching)
    reasons = ", ".join(f"{reason} {number}" for reason, number in by_reason.most_common())
    return [
        Result(
            f"{DATAGRAMS} datagrams to a viewer's port",
            f"{failures} failures, {seconds:.0f} s",
            "0 failures",
            failed=failures > 0,
        ),
        Result("  viewer", f"{received - received_before} packets received, {lost} lost", "0 lost", failed=lost > 0),
        Result("  dropped", reasons),
        Result("  resources", _growth(before, after), "no growth"),
    ]


async def _feed(port: asyncio.DatagramProtocol, viewer: tuple[str, int], random: Random, count: int) -> int:
    """Pass datagrams to the port; return for how many it raised an exception."""
    raised = 0
    for number in range(count):
        address = viewer if number % 5 == 0 else (f"198.51.100.{random.randrange(256)}", random.randrange(1, 65536))
        try:
            port.datagram_received(random_datagram(random), address)
        except Exception as error:  # noqa: BLE001
            print(f"raised {error!r}")
            raised += 1
        if number % BATCH == 0:
            await asyncio.sleep(0)
    return raised


def _messages(random: Random) -> Result:
    """Pass messages to one session after another as fast as possible, on simulated time."""
    before, began = footprint(os.getpid()), time.monotonic()
    failures, sessions, checked = 0, 1, CheckedSession()
    for _ in range(MESSAGES):
        try:
            checked.receive(random_message(random))
        except Exception as error:  # noqa: BLE001
            print(f"raised {error!r}")
            failures += 1
        if checked.session.is_over:
            sessions, checked = sessions + 1, CheckedSession()
    seconds, growth = time.monotonic() - began, _growth(before, footprint(os.getpid()))
    return Result(
        f"{MESSAGES} messages to session state machines",
        f"{failures} failures, {sessions} sessions, {seconds:.0f} s; {growth}",
        "0 failures",
        failed=failures > 0,
    )


async def _websockets(random: Random) -> list[Result]:
    """Send messages over real WebSockets to a daemon process, while somebody watches."""
    async with ScriptedDaemon(web__max_viewers=20) as daemon, LightProcess(daemon.port) as viewer:
        await asyncio.sleep(1)
        await _talk_in_parallel(daemon.port, random, WEBSOCKET_MESSAGES // 10)
        await asyncio.sleep(2)
        before, held, began = footprint(daemon.pid), await daemon.resources(), time.monotonic()
        codes = await _talk_in_parallel(daemon.port, random, WEBSOCKET_MESSAGES)
        seconds = time.monotonic() - began
        await asyncio.sleep(2)
        after, left, viewers = footprint(daemon.pid), await daemon.resources(), (await daemon.status())["viewers"]
        gaps = (await viewer.stats())["gaps"]
        failures = sum(number for code, number in codes.items() if code not in ORDERLY)
        failures += daemon.log.count("Traceback") + daemon.log.count("ended by")
    counts = ", ".join(f"{code}: {number}" for code, number in codes.most_common())
    return [
        Result(
            f"{WEBSOCKET_MESSAGES} messages over {codes.total()} WebSockets",
            f"{failures} failures, {seconds:.0f} s",
            "0 failures",
            failed=failures > 0,
        ),
        Result("  close codes", counts),
        Result(
            "  viewer",
            f"{gaps} gaps, {viewers} connected at the end",
            "0 gaps, 1",
            failed=(gaps, viewers) != (0, 1),
        ),
        Result("  left behind", f"{_growth(before, after)}, tasks {left['tasks'] - held['tasks']:+d}", "nothing"),
    ]


async def _talk_in_parallel(port: int, random: Random, messages: int) -> Counter[int | None]:
    """Send messages over six WebSockets at a time; return how often each close code was received."""
    left, codes = messages, Counter[int | None]()

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            batch = [random_message(random) for _ in range(min(left, 9))]
            left -= len(batch)
            codes[await talk(port, batch, hello=random.random() < 0.8)] += 1

    await asyncio.gather(*(one_after_the_other() for _ in range(6)))
    return codes


def _growth(before: Footprint, after: Footprint) -> str:
    return (
        f"memory {before.memory:.0f} → {after.memory:.0f} MB, descriptors {after.descriptors - before.descriptors:+d}"
    )
