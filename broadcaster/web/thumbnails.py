"""Thumbnails of recordings: each keyframe is decoded once, one at a time, and the pictures are kept in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from broadcaster.errors import RecordError
from broadcaster.worker import Worker

if TYPE_CHECKING:
    from broadcaster.model.recording import Recording
    from broadcaster.ports.recording import RecordingReader

WIDTH = 320
"""Pixels."""

_MAX_BYTES = 8 << 20
"""Bytes of all pictures in memory: some 500."""
_MAX_WAITING = 64

MakeJpeg = Callable[[bytes, int | None], bytes]


class Thumbnails:
    """The pictures; `make_jpeg` takes a keyframe and a width in pixels, and raises ValueError."""

    def __init__(self, reader: RecordingReader, make_jpeg: MakeJpeg) -> None:
        self._reader = reader
        self._make_jpeg = make_jpeg
        self._worker = Worker("thumbnails", _MAX_WAITING)
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._pending: dict[str, asyncio.Task[bytes]] = {}

    async def picture(self, recording: Recording, at: int) -> bytes:
        """Return the JPEG of the keyframe nearest to a time in seconds. Raises `RecordError` and `BusyError`.

        Requests for a picture that is being made share it.
        """
        key = tag(recording, at)
        if (picture := self._pictures.get(key)) is not None:
            self._pictures.move_to_end(key)
            return picture
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = asyncio.create_task(self._make(recording, at), name="thumbnail")
            pending.add_done_callback(partial(self._made, key))
        return await asyncio.shield(pending)

    async def _make(self, recording: Recording, at: int) -> bytes:
        keyframe = await self._reader.keyframe(recording, at)
        try:
            return await self._worker.run(partial(self._make_jpeg, keyframe, WIDTH))
        except ValueError as error:
            raise RecordError(f"{recording.name}: {error}") from error

    def _made(self, key: str, pending: asyncio.Task[bytes]) -> None:
        del self._pending[key]
        if pending.cancelled() or pending.exception() is not None:
            return
        self._pictures[key] = pending.result()
        self._size += len(pending.result())
        while self._size > _MAX_BYTES:
            _, oldest = self._pictures.popitem(last=False)
            self._size -= len(oldest)


def tag(recording: Recording, at: int) -> str:
    """Return a text that is the same for the same picture."""
    return f"{recording.number}-{recording.size}-{at}"
