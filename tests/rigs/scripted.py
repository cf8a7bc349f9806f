"""The daemon as a process with scripted sources: camera and microphone fail on command, and resources can be counted.

`python -m tests.rigs.scripted run …` is `broadcaster run …` with the fakes as sources. It listens on the Unix socket
`$BROADCASTER_CONTROL`. A request is one line, a JSON array of an object's name, a method's name and its arguments; the
response is one line, the method's result as JSON.
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
from broadcaster.web import pending
from broadcaster.web.websocket import WebSocket, open_websocket
from broadcaster.webrtc import peer
from tests.rigs.daemon import Daemon

_CONTROL = "BROADCASTER_CONTROL"
_CLOSED = "closed"
"""Name of a file beside the socket, written at exit: the sources that were opened and closed."""


class ScriptedDaemon(Daemon):
    """Runs that process, as an async context manager; `call("camera", "stall")` makes the camera stall.

    With `video__source="test"` the sources are the real test sources, without faults.
    """

    module = "tests.rigs.scripted"

    def __init__(self, *arguments: str, **options: Any) -> None:
        super().__init__(*arguments, **{"video__source": "auto", **options})
        self._control_folder = tempfile.TemporaryDirectory(prefix="broadcaster-control-")
        self._path = f"{self._control_folder.name}/control"
        self.environment[_CONTROL] = self._path

    async def call(self, name: str, method: str, *arguments: object) -> Any:
        """Call a method of an object of the process: camera, microphone, process or devices. Return its result."""
        reader, writer = await asyncio.open_unix_connection(self._path, limit=1 << 20)
        writer.write(json.dumps([name, method, *arguments]).encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        await writer.wait_closed()
        return json.loads(line)

    async def resources(self) -> dict[str, int]:
        """Return the process's numbers of tasks, timers, peer connections and file descriptors."""
        resources: dict[str, int] = await self.call("process", "resources")
        return resources

    @property
    def closed(self) -> list[str]:
        """The sources that were closed as often as opened (at least once); available after the process has exited."""
        closed: list[str] = json.loads(Path(self._path).with_name(_CLOSED).read_text("ascii"))
        return closed

    async def __aexit__(self, *details: object) -> None:
        await super().__aexit__(*details)
        self._control_folder.cleanup()


class Process:
    """Measurements and faults of the process itself."""

    def __init__(self) -> None:
        self._websockets: weakref.WeakSet[WebSocket] = weakref.WeakSet()
        self._peers: weakref.WeakSet[RTCPeerConnection] = weakref.WeakSet()
        self._blocker: asyncio.Future[None] | None = None

    async def open_websocket(self, *arguments: Any) -> WebSocket:
        """Replacement of `websocket.open_websocket` that registers the WebSocket."""
        websocket = await open_websocket(*arguments)
        self._websockets.add(websocket)
        return websocket

    def make_peer(self, *arguments: Any, **options: Any) -> RTCPeerConnection:
        """Replacement of `RTCPeerConnection` in `webrtc.peer` that registers it; `gc` does not list frozen objects."""
        made = RTCPeerConnection(*arguments, **options)
        self._peers.add(made)
        return made

    def resources(self) -> dict[str, int]:
        """Return the numbers of those resources that a viewer could leak."""
        gc.collect()
        loop: Any = asyncio.get_running_loop()
        return {
            "tasks": len(asyncio.all_tasks()),
            "timers": sum(not timer.cancelled() for timer in loop._scheduled),
            "peers": sum(made.connectionState != "closed" for made in self._peers),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        }

    def buffered(self) -> int:
        """Return the maximum number of unsent bytes that any WebSocket buffers."""
        websockets = [websocket for websocket in self._websockets if not websocket._transport.is_closing()]
        return max((websocket._queued + websocket._connection.unsent_bytes for websocket in websockets), default=0)

    def wall_clock(self) -> float:
        """Return the process's wall-clock time in Unix seconds."""
        return time.time()

    def block_loop(self, seconds: float) -> None:
        """Block the event loop again and again, for `seconds` each time, until called with 0."""
        if self._blocker is not None:
            self._blocker.cancel()
        self._blocker = asyncio.ensure_future(_block(seconds)) if seconds else None


class DeviceFolder:
    """The folder in which devices appear, in place of /dev."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str) -> None:
        """Make a device appear."""
        (self._folder / name).touch()


async def _block(seconds: float) -> None:
    while True:
        time.sleep(seconds)  # noqa: ASYNC251 - blocking is its purpose
        await asyncio.sleep(0)


def _main() -> int:
    folder = Path(os.environ[_CONTROL]).parent
    process = Process()
    objects: dict[str, Any] = {"process": process, "devices": DeviceFolder(folder)}

    def make_sources(video: Any, audio: Any, clock: Any) -> tuple[Any, Any]:
        camera = objects["camera"] = FakeCamera(clock, real_time=True)
        microphone = objects["microphone"] = FakeMicrophone(clock, real_time=True)
        objects["control"] = asyncio.ensure_future(_listen(objects))
        if video.source == "test":
            return app.make_sources(video, audio, clock)
        return camera, microphone if audio.source != "none" else None

    with (
        patch.object(arrivals, "FOLDER", folder),
        patch.object(peer, "RTCPeerConnection", process.make_peer),
        patch.object(pending, "open_websocket", process.open_websocket),
    ):
        code = cli.main(make_sources=make_sources)
    sources = [name for name in ("camera", "microphone") if name in objects]
    closed = [name for name in sources if objects[name].opened == objects[name].closed > 0]
    (folder / _CLOSED).write_text(json.dumps(closed), "ascii")
    return code


async def _listen(objects: dict[str, Any]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, method, *arguments = json.loads(await reader.readline())
        writer.write(json.dumps(getattr(objects[name], method)(*arguments)).encode() + b"\n")
        await writer.drain()
        writer.close()

    await asyncio.start_unix_server(answer, os.environ[_CONTROL])


if __name__ == "__main__":
    sys.exit(_main())
