"""A web server with stills, whose pictures the test publishes, and a client of `/stream.mjpeg`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.fakes import canned
from broadcaster.devices.jpeg import jpeg_of
from broadcaster.model.stream import AccessUnit, StreamState
from broadcaster.outputs.stills import Stills
from broadcaster.signaling.protocol import Timings
from broadcaster.stream.hub import Hub
from broadcaster.web.mjpeg import BOUNDARY
from tests.edges.web_rig import WebServerRig
from tests.unit.muxed_driver import TwoRenditions

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


class StillsRig(WebServerRig):
    """Pictures come from `publish`; `decoded` are the keyframes that were made JPEG."""

    def __init__(self, state: StreamState, **settings: Any) -> None:
        super().__init__(state, Timings(close_timeout=0.1), **settings)
        self.decoded: list[bytes] = []
        self.source = TwoRenditions(small=False)
        self.hub = Hub(SystemClock())
        self.hub.attach(self.source)  # type: ignore[arg-type]
        self.stills = Stills(self.hub, self.stream, SystemClock(), self._jpeg_of)  # type: ignore[arg-type]
        self.server.set_stills(self.stills)

    def publish(self, data: bytes | None = None, *, keyframe: bool = True) -> None:
        """Publish a picture; a keyframe unless it is said."""
        pictures = canned.pictures()
        self.hub.publish_video(AccessUnit(data or pictures[0 if keyframe else 1], 0.0, keyframe))

    def _jpeg_of(self, keyframe: bytes) -> bytes:
        self.decoded.append(keyframe)
        return jpeg_of(keyframe)


class MjpegReader:
    """Reads a response part by part, as a browser does."""

    def __init__(self, response: Any) -> None:
        assert response.status == 200
        assert response.headers["Content-Type"] == f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        self._content = response.content

    async def begin(self) -> None:
        """Read the first boundary, and the header of the first part."""
        assert await self._read(f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()) == b""

    async def picture(self) -> bytes:
        """Read a picture, with the header of the next part, which comes at once."""
        picture = await self._read(f"\r\n--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode())
        assert picture.startswith(JPEG_START)
        assert picture.endswith(JPEG_END)
        return picture

    async def end(self) -> bytes:
        """Return what follows until the end of the response."""
        async with asyncio.timeout(10):
            return bytes(await self._content.read())

    async def _read(self, end: bytes) -> bytes:
        async with asyncio.timeout(10):
            return bytes(await self._content.readuntil(end)).removesuffix(end)


@contextlib.asynccontextmanager
async def stills_served(state: StreamState = StreamState.LIVE, **settings: Any) -> AsyncIterator[StillsRig]:
    """Run a server that has got one keyframe."""
    rig = StillsRig(state, **settings)
    rig.stills.start()
    rig.publish()
    try:
        await rig.server.start()
        yield rig
    finally:
        await rig.server.close()
        await rig.client.close()
        rig.stills.close()
    assert not rig.stream.listeners
    assert not rig.hub._subscriptions
