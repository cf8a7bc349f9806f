"""The whole daemon in this process, where a test can patch its parts."""

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
    """Return settings for tests, with these assignments."""
    assignments = ["web.port=0", "web.host=127.0.0.1", "video.source=test", "audio.source=none", "stream.start=offline"]
    return read(assignments=[*assignments, f"stream.state_dir={tmp_path}", *more])


class LiveDaemon:
    """A running daemon whose desired state is live."""

    def __init__(self, port: int, task: asyncio.Task[None]) -> None:
        self.task = task
        self.port = port

    async def until(self, state: str, reason: str | None = None) -> dict[str, object]:
        """Wait for this state of the stream, and return the answer to `GET /api/status`."""
        async with asyncio.timeout(20):
            while True:
                status = await asyncio.to_thread(self._request, "api/status")
                if (status["stream"]["state"], status["stream"].get("reason")) == (state, reason):
                    return status
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop the stream."""
        await asyncio.to_thread(self._request, "api/live", b'{"live": false}')

    def _request(self, path: str, body: bytes | None = None) -> dict[str, object]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextlib.asynccontextmanager
async def served(tmp_path, name: str, *more: str) -> AsyncIterator[LiveDaemon]:
    """Run the daemon with the video source `name` inside the block."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    effective = settings(tmp_path, f"video.source={name}", *SMALL, *more)
    task = asyncio.create_task(serve(effective, live=True, announce=lambda port, *_: started.set_result(port)))
    try:
        yield LiveDaemon(await asyncio.wait_for(started, 20), task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
