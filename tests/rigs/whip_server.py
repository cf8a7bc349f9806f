"""A WHIP server (RFC 9725) on aiohttp and aiortc, which counts what it receives and decodes the video."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Publication:
    """One session: its offer, whether it was deleted, and what has been decoded."""

    offer: str
    pc: RTCPeerConnection
    deleted: bool = False
    frames: int = 0
    audio_frames: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class WhipServer:
    """Accepts publishers at `/whip`; use it with `async with`. `port` 0 is any free one.

    `is_passive`: be the DTLS server. `post`, `options` and `delete`, if set, replace the handlers. `requests` lists
    method, path and `Authorization`.
    """

    def __init__(self, port: int = 0, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self._tls = tls
        self.token = token
        self.location = "session/{number}"
        self.links: list[str] = []
        self.is_passive = False
        self.post: Handler | None = None
        self.options: Handler | None = None
        self.delete: Handler | None = None
        self.publications: list[Publication] = []
        self.requests: list[tuple[str, str, str]] = []
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        return f"http://127.0.0.1:{self.port}/whip"

    async def __aenter__(self) -> WhipServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening, and close all peer connections, so that publishers notice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for publication in self.publications:
            await self._close(publication)

    async def kill(self) -> None:
        """Stop listening and answering datagrams without a farewell, as a process that is killed."""
        for publication in self.publications:
            ice = publication.pc.getReceivers()[0].transport.transport._connection
            for protocol in ice._protocols:
                protocol.transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, condition: Callable[[], object], limit: float = 20.0) -> None:
        """Wait until the condition is true; it is checked with each request and each decoded frame."""
        async with asyncio.timeout(limit), self._changed:
            await self._changed.wait_for(condition)

    async def published(self, count: int = 1, limit: float = 20.0) -> Publication:
        """Wait until that many publishers have come in all, and video of the last one is decoded; return it."""
        await self.until(lambda: len(self.publications) >= count and self.publications[-1].frames > 0, limit)
        return self.publications[-1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, request.headers.get("Authorization", "")))
        try:
            return await self._answer(request)
        finally:
            await self._notify()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            if self.options is not None:
                return await self.options(request)
            return self._with_links(web.Response(status=204, headers={"Accept-Post": "application/sdp"}))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401, text="no such token")
        if request.method == "DELETE":
            return await (self.delete or self._delete)(request)
        if request.method != "POST" or request.content_type != "application/sdp":
            return web.Response(status=405)
        return await (self.post or self.accept)(request)

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """Accept a publisher."""
        offer = await request.text()
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        publication = Publication(offer, pc)

        @pc.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            publication.tasks.append(asyncio.create_task(self._consume(publication, track)))

        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        if self.is_passive:
            pc.getReceivers()[0].transport._set_role("server")
        await pc.setLocalDescription(await pc.createAnswer())
        self.publications.append(publication)
        location = self.location.format(number=len(self.publications) - 1, port=self.port)
        headers = {"Location": location}
        answer = web.Response(status=201, text=pc.localDescription.sdp, content_type="application/sdp", headers=headers)
        return self._with_links(answer)

    def _with_links(self, response: web.Response) -> web.Response:
        for link in self.links:
            response.headers.add("Link", link)
        return response

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        number = request.path.rpartition("/")[2]
        if not number.isdigit() or int(number) >= len(self.publications):
            return web.Response(status=404)
        publication = self.publications[int(number)]
        publication.deleted = True
        await self._close(publication)
        return web.Response(status=200)

    async def _consume(self, publication: Publication, track: MediaStreamTrack) -> None:
        with contextlib.suppress(Exception):  # MediaStreamError at its end
            while True:
                await track.recv()
                if track.kind == "video":
                    publication.frames += 1
                else:
                    publication.audio_frames += 1
                await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _close(self, publication: Publication) -> None:
        for task in publication.tasks:
            task.cancel()
        await publication.pc.close()
