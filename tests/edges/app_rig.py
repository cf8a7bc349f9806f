"""The whole daemon as `broadcaster/app.py` composes it, in this process, where a test can reach into it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from collections.abc import AsyncIterator

from broadcaster.app import serve
from broadcaster.settings import Settings, read

SMALL = ("video.width=320", "video.height=180", "video.bitrate=300000")


def settings(tmp_path, *more: str) -> Settings:
    chosen = ["web.port=0", "web.host=127.0.0.1", "video.source=test", "audio.source=none", "stream.start=offline"]
    return read(assignments=[*chosen, f"stream.state_dir={tmp_path}", *more])


class Served:
    """A daemon that is live, or tries to be."""

    def __init__(self, port: int, task: asyncio.Task[None]) -> None:
        self.task = task
        self.port = port

    async def until(self, state: str, reason: str | None = None) -> dict[str, object]:
        """Wait for that state of the stream; returns what `GET /api/status` says then."""
        async with asyncio.timeout(20):
            while True:
                status = await asyncio.to_thread(self._ask, "api/status")
                if (status["stream"]["state"], status["stream"].get("reason")) == (state, reason):
                    return status
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Ask for off air."""
        await asyncio.to_thread(self._ask, "api/live", b'{"live": false}')

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, object]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextlib.asynccontextmanager
async def served(tmp_path, name: str, *more: str) -> AsyncIterator[Served]:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    chosen = settings(tmp_path, f"video.source={name}", *SMALL, *more)
    task = asyncio.create_task(serve(chosen, live=True, announce=lambda port, _: started.set_result(port)))
    try:
        yield Served(await asyncio.wait_for(started, 20), task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
