"""Hundreds of viewers in one process that only count, so that the daemon can be measured on the same machine.

`python -m tests.bench.counting_crowd URL NUMBER SECONDS INTERVAL` lets NUMBER viewers join, one every INTERVAL seconds,
and prints one line of JSON when the last one has stayed for SECONDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
import secrets
import sys
import time
from collections import Counter
from types import TracebackType
from typing import Any

import aiohttp

from broadcaster.signaling.protocol import SUBPROTOCOL
from tests.bench.counting_transport import FINGERPRINT, CountingTransport, Credentials
from tests.bench.crowd_stats import CrowdStats
from tests.bench.measurement import percentile
from tests.rigs.process import udp_overflows

_ROTA = 50
"""Groups of viewers that report one after another within a second."""

_ANSWERED = ("group", "extmap", "mid", "rtcp-mux", "rtpmap", "rtcp-fb", "fmtp")
"""Attributes of the offer that the answer repeats."""


class CountingCrowd:
    """That process (`crowd.Crowd`), with a niceness."""

    def __init__(self, port: int, viewers: int, seconds: float, interval: float, *, niceness: int = 0) -> None:
        url = f"ws://127.0.0.1:{port}/ws"
        python = [sys.executable, "-m", "tests.bench.counting_crowd", url, str(viewers), str(seconds), str(interval)]
        self._command = ["nice", "-n", str(niceness), *python]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> CountingCrowd:
        self._overflows = udp_overflows()
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.PIPE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def summary(self) -> CrowdStats:
        output, _ = await self._process.communicate()
        found: dict[str, Any] = json.loads(output)
        return CrowdStats(overflows=udp_overflows() - self._overflows, **found)


class _Viewer:
    """One viewer: signaling, and a transport for its only peer connection."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.transport = CountingTransport()
        self.began = time.monotonic()
        self.failure = ""
        self._http = http
        self._url = url

    @property
    def joined(self) -> float | None:
        """Milliseconds from opening the connection to the first video packet, which is a keyframe's."""
        first = self.transport.count.first_at
        return None if first is None else 1000 * (first - self.began)

    async def watch(self) -> None:
        """Stay until cancelled, or until the daemon ends the session."""
        try:
            async with self._http.ws_connect(self._url, protocols=[SUBPROTOCOL]) as ws:
                await ws.send_json({"type": "hello"})
                async for raw in ws:
                    await self._take(ws, raw.json())
                self.failure = f"closed with {ws.close_code}"
        except aiohttp.ClientError as error:
            self.failure = str(error)

    async def _take(self, ws: aiohttp.ClientWebSocketResponse, message: dict[str, Any]) -> None:
        match message["type"]:
            case "offer":
                sdp, address, credentials = _answer(message["sdp"])
                await ws.send_json({"type": "answer", "id": message["id"], "sdp": sdp})
                self.transport.open(address, credentials)
            case "heartbeat" if message.get("ask"):
                await ws.send_json({"type": "heartbeat"})
            case "error":
                self.failure = f"{message['code']}: {message.get('message')}"


def _answer(offer: str) -> tuple[str, tuple[str, int], Credentials]:
    """Return our answer, the daemon's address, and the credentials for it."""
    lines = offer.splitlines()
    values = {name: value for name, _, value in (line.removeprefix("a=").partition(":") for line in lines)}
    ours = Credentials(secrets.token_hex(4), secrets.token_hex(16), values["ice-ufrag"], values["ice-pwd"])
    repeated = [line for line in lines if re.match(r"a=({})\b".format("|".join(_ANSWERED)), line)]
    found = re.search(r"^m=video (\d+) .*$\s*^c=IN IP4 (\S+)", offer, re.MULTILINE)
    assert found is not None
    media = next(line for line in lines if line.startswith("m=video"))
    answer = [
        *("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"),
        *(line for line in repeated if line.startswith("a=group")),
        *(media.replace(found[1], "9"), "c=IN IP4 0.0.0.0", "a=recvonly"),
        *(line for line in repeated if not line.startswith("a=group")),
        *(f"a=ice-ufrag:{ours.fragment}", f"a=ice-pwd:{ours.password}"),
        *(f"a=fingerprint:sha-256 {FINGERPRINT}", "a=setup:active", ""),
    ]
    return "\r\n".join(answer), (found[2], int(found[1])), ours


async def _report(viewers: list[_Viewer]) -> None:
    """Let each viewer report once a second, a few at a time."""
    turn = 0
    while True:
        for viewer in viewers[turn % _ROTA :: _ROTA]:
            viewer.transport.report()
        turn += 1
        await asyncio.sleep(1 / _ROTA)


async def _main(url: str, number: int, seconds: float, interval: float) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as group:
        viewers: list[_Viewer] = []
        tasks = [group.create_task(_report(viewers))]
        start = time.monotonic()
        for index in range(number):
            viewers.append(_Viewer(http, url))
            tasks.append(group.create_task(viewers[-1].watch()))
            await asyncio.sleep(max(0.0, start + (index + 1) * interval - time.monotonic()))
        await asyncio.sleep(seconds)
        print(json.dumps(_summary(viewers)), flush=True)
        for task in tasks:
            task.cancel()


def _summary(viewers: list[_Viewer]) -> dict[str, Any]:
    """Return the fields of `CrowdStats`, except what the kernel dropped."""
    counts = [viewer.transport.count for viewer in viewers]
    joined = [ms for viewer in viewers if (ms := viewer.joined) is not None]
    packets = [count.packets for count in counts]
    return {
        "packets": sum(packets),
        "fewest": min(packets),
        "gaps": sum(count.lost for count in counts),
        "keyframe_p50": percentile(joined, 0.5) if joined else -1,
        "keyframe_p95": percentile(joined, 0.95) if joined else -1,
        "failures": Counter(viewer.failure for viewer in viewers if viewer.failure),
    }


if __name__ == "__main__":
    gc.disable()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
