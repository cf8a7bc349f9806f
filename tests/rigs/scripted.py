"""The daemon as a process whose camera and microphone fail on request, and that tells what it holds.

`python -m tests.rigs.scripted run …` is `broadcaster run …` with the fakes for sources. It listens on the socket that
`$BROADCASTER_CONTROL` names: each line is the name of something, a method of it and arguments, as JSON; the answer is
a line of JSON, what the method returned.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiortc import RTCPeerConnection

from broadcaster import app, cli
from broadcaster.devices import arrivals
from broadcaster.devices.fakes import FakeCamera, FakeMicrophone
from broadcaster.web import endpoint
from broadcaster.web.websocket import WebSocket, open_websocket
from tests.rigs.daemon import Daemon

_CONTROL = "BROADCASTER_CONTROL"
_CLOSED = "closed"
"""Beside the socket: what was open and is closed, written in the end."""


class ScriptedDaemon(Daemon):
    """Runs it; use it with `async with`. `call("camera", "stall")` lets the camera stall.

    With `video__source="test"` its pictures are those of the test source, without faults.
    """

    module = "tests.rigs.scripted"

    def __init__(self, *arguments: str, **options: Any) -> None:
        super().__init__(*arguments, **{"video__source": "auto", **options})
        self._control_folder = tempfile.TemporaryDirectory(prefix="broadcaster-control-")
        self._path = f"{self._control_folder.name}/control"
        self.environment[_CONTROL] = self._path

    async def call(self, thing: str, method: str, *arguments: object) -> Any:
        """Let the camera, the microphone or the process do something."""
        reader, writer = await asyncio.open_unix_connection(self._path, limit=1 << 20)
        writer.write(json.dumps([thing, method, *arguments]).encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        await writer.wait_closed()
        return json.loads(line)

    async def held(self) -> dict[str, int]:
        """How many tasks, timers and peer connections it has, and descriptors."""
        held: dict[str, int] = await self.call("process", "held")
        return held

    @property
    def closed(self) -> list[str]:
        """Of camera and microphone those that were opened, and closed as often; known when it has ended."""
        closed: list[str] = json.loads(Path(self._path).with_name(_CLOSED).read_text("ascii"))
        return closed

    async def __aexit__(self, *details: object) -> None:
        await super().__aexit__(*details)
        self._control_folder.cleanup()


class Process:
    """What the process tells of itself, and what can be done to it."""

    def __init__(self) -> None:
        self._websockets: weakref.WeakSet[WebSocket] = weakref.WeakSet()
        self._burden: asyncio.Future[None] | None = None

    async def open_websocket(self, *arguments: Any) -> WebSocket:
        """As `websocket.open_websocket`, in whose place it stands."""
        opened = await open_websocket(*arguments)
        self._websockets.add(opened)
        return opened

    def held(self) -> dict[str, int]:
        """Numbers of what a viewer could leave behind."""
        gc.collect()
        peers = [one for one in gc.get_objects() if isinstance(one, RTCPeerConnection)]
        loop: Any = asyncio.get_running_loop()
        return {
            "tasks": len(asyncio.all_tasks()),
            "timers": sum(not timer.cancelled() for timer in loop._scheduled),
            "peers": sum(peer.connectionState != "closed" for peer in peers),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        }

    def buffered(self) -> int:
        """Bytes that the fullest WebSocket has not handed to the kernel yet."""
        there = [one for one in self._websockets if not one._transport.is_closing()]
        return max((one._queued + one._connection.waiting for one in there), default=0)

    def wall(self) -> float:
        """What time it thinks it is."""
        return time.time()

    def burden(self, seconds: float) -> None:
        """From now on the loop stands still for so long, again and again; 0: no more."""
        if self._burden is not None:
            self._burden.cancel()
        self._burden = asyncio.ensure_future(_stand_still(seconds)) if seconds else None


class Plugs:
    """The folder in which devices appear, in the place of /dev."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def plug(self, name: str) -> None:
        """A device appears."""
        (self._folder / name).touch()


async def _stand_still(seconds: float) -> None:
    while True:
        time.sleep(seconds)  # noqa: ASYNC251 - this is what it is for
        await asyncio.sleep(0)


def _main() -> int:
    plugs = Path(os.environ[_CONTROL]).parent
    process = Process()
    things: dict[str, Any] = {"process": process, "plugs": Plugs(plugs)}

    def make_sources(video: Any, audio: Any, clock: Any) -> tuple[Any, Any]:
        camera = things["camera"] = FakeCamera(clock, real_time=True)
        microphone = things["microphone"] = FakeMicrophone(clock, real_time=True)
        things["control"] = asyncio.ensure_future(_listen(things))
        if video.source == "test":
            return app.make_sources(video, audio, clock)
        return camera, microphone if audio.source != "none" else None

    with (
        patch.object(arrivals, "FOLDER", plugs),
        patch.object(endpoint, "open_websocket", process.open_websocket),
    ):
        code = cli.main(make_sources=make_sources)
    sources = [name for name in ("camera", "microphone") if name in things]
    closed = [name for name in sources if things[name].opened == things[name].closed > 0]
    (plugs / _CLOSED).write_text(json.dumps(closed), "ascii")
    return code


async def _listen(things: dict[str, Any]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        thing, method, *arguments = json.loads(await reader.readline())
        writer.write(json.dumps(getattr(things[thing], method)(*arguments)).encode() + b"\n")
        await writer.drain()
        writer.close()

    await asyncio.start_unix_server(answer, os.environ[_CONTROL])


if __name__ == "__main__":
    sys.exit(_main())
