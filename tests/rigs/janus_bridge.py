"""A WHIP endpoint for Janus' video room: translates WHIP (RFC 9725) to the HTTP API of Janus."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from typing import Any

import aiohttp
import av
from aiohttp import web
from aiortc.rtp import RtpPacket

from tests.rigs.janus import Janus
from tests.unit.depacketizer import depacketize

ROOM = 1234
_CONFIG = f'room-{ROOM}: {{ publishers = 3, videocodec = "h264", audiocodec = "opus", h264_profile = "42e01f" }}\n'
_LONG_POLL = 20


class JanusBridge:
    """Runs Janus and the bridge; use it with `async with`. `nat` are settings of Janus, such as `ice_lite = true`.

    `packets` are the RTP packets of the video that Janus forwards to us.
    """

    def __init__(self, nat: str = "") -> None:
        self.janus = Janus("videoroom", _CONFIG, nat=nat)
        self.port = 0
        self.answers: list[str] = []
        self.packets: list[bytes] = []
        self.deleted: list[int] = []
        self._transactions = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        return f"http://127.0.0.1:{self.port}/whip"

    async def __aenter__(self) -> JanusBridge:
        await self.janus.__aenter__()
        self._http = aiohttp.ClientSession()
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("127.0.0.1", 0))
        self._rtp.setblocking(False)
        self._reading = asyncio.create_task(self._read_rtp())
        app = web.Application()
        app.router.add_post("/whip", self._publish)
        app.router.add_delete("/session/{session}", self._delete)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._reading, *self._tasks):
            task.cancel()
        await asyncio.gather(self._reading, *self._tasks, return_exceptions=True)
        await self._runner.cleanup()
        await self._http.close()
        self._rtp.close()
        await self.janus.__aexit__()

    async def received(self, packets: int, limit: float = 20.0) -> None:
        """Wait until Janus has forwarded so many more packets of the video."""
        wanted = len(self.packets) + packets
        async with asyncio.timeout(limit):
            while len(self.packets) < wanted:
                await asyncio.sleep(0.02)

    async def _publish(self, request: web.Request) -> web.Response:
        """Publish into the room; a dead Janus is a bad gateway."""
        try:
            session, handle, answer, publisher = await self._join(await request.text())
        except (aiohttp.ClientError, TimeoutError):
            return web.Response(status=502, text="Janus does not answer")
        self._keep(self._keep_alive(session))
        self._keep(self._forward(session, handle, publisher))
        self.answers.append(answer)
        headers = {"Location": f"/session/{session}"}
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def _join(self, offer: str) -> tuple[int, int, str, int]:
        session = (await self._send("", janus="create"))["data"]["id"]
        handle = (await self._send(f"/{session}", janus="attach", plugin="janus.plugin.videoroom"))["data"]["id"]
        body = {"request": "joinandconfigure", "room": ROOM, "ptype": "publisher"}
        jsep = {"type": "offer", "sdp": offer, "trickle": False}
        await self._send(f"/{session}/{handle}", janus="message", body=body, jsep=jsep)
        event = await self._event(session, "jsep")
        return session, handle, event["jsep"]["sdp"], event["plugindata"]["data"]["id"]

    async def _forward(self, session: int, handle: int, publisher: int) -> None:
        """Have Janus forward the video of this publisher to our socket, as soon as it has some."""
        stream = {"mid": "0", "host": "127.0.0.1", "port": self._rtp.getsockname()[1]}
        body = {"request": "rtp_forward", "room": ROOM, "publisher_id": publisher, "streams": [stream]}
        await self._send(f"/{session}/{handle}", janus="message", body=body | {"host": "127.0.0.1"})

    async def _event(self, session: int, field: str) -> dict[str, Any]:
        """Return the next event of the session that has this field."""
        async with asyncio.timeout(5):
            while True:
                async with self._http.get(f"{self.janus.url}/{session}") as answer:
                    event: dict[str, Any] = await answer.json(content_type=None)
                if field in event:
                    return event

    async def _keep_alive(self, session: int) -> None:
        while True:
            await asyncio.sleep(_LONG_POLL)
            await self._send(f"/{session}", janus="keepalive")

    async def _delete(self, request: web.Request) -> web.Response:
        session = int(request.match_info["session"])
        try:
            answer = await self._send(f"/{session}", janus="destroy")
        except aiohttp.ClientError:
            return web.Response(status=502)
        self.deleted.append(session)
        return web.Response(status=200 if answer["janus"] == "success" else 404)

    async def _send(self, path: str, **message: object) -> dict[str, Any]:
        message["transaction"] = str(next(self._transactions))
        async with self._http.post(self.janus.url + path, json=message) as answer:
            result: dict[str, Any] = await answer.json(content_type=None)
            return result

    async def _read_rtp(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.packets.append(await loop.sock_recv(self._rtp, 2000))

    def _keep(self, work: Any) -> None:
        async def run() -> None:
            with contextlib.suppress(aiohttp.ClientError):
                await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def count_pictures(packets: list[bytes]) -> int:
    """Return how many pictures in these RTP packets can be decoded."""
    decoder = av.CodecContext.create("h264", "r")
    parsed = [RtpPacket.parse(packet) for packet in packets]
    pictures = 0
    for _, group in itertools.groupby(parsed, key=lambda packet: packet.timestamp):
        data = depacketize([packet.payload for packet in group])
        pictures += len(decoder.decode(av.Packet(data)))
    return pictures
