"""A second hardware encoder that can neither block nor end the camera's thread, whatever happens to it.

That thread passes each picture to all encoders, one after the other. An encoder that raises there ends it; one that
keeps its pictures stops the camera, because the camera runs out of buffers.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from typing import Any

from broadcaster.errors import SourceError, StreamReason

MAX_WAITING = 2
"""Pictures that may be in the encoder; further ones are skipped. The camera has at least four buffers, and needs two
to keep its frame rate."""

PATIENCE = 2.0
"""Seconds of pictures without a result after which the encoder counts as stalled."""

MIN_PATIENCE = 5
"""Pictures without a result that are always tolerated; the encoder has a latency of one or two."""


@contextlib.contextmanager
def isolated(report: Callable[[Exception], None]) -> Iterator[None]:
    """Pass what the block raises, because of driver, library or receiver, to `report`; the first encoder continues."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it would end the camera's thread, or stay unnoticed
        report(error)


class IsolatedEncoder:
    """Mixin for picamera2's `H264Encoder`; call `isolate` before it is started.

    The first error is passed to `failed`, in any thread; no more pictures are encoded after it.
    """

    buf_frame: queue.Queue[Any]
    """Pictures that are being encoded."""
    buf_available: queue.Queue[int]
    """The driver's buffers that are free."""

    def isolate(self, fps: float, failed: Callable[[SourceError], None]) -> None:
        """Set the frame rate, and what takes the error."""
        self._patience = max(MIN_PATIENCE, round(PATIENCE * fps))
        self._report = failed
        self._unanswered = 0
        self._has_failed = False

    def encode(self, stream: Any, request: Any) -> None:
        """In the camera's thread: encode a picture, or skip it; never block or raise."""
        if self._has_failed:
            return
        self._unanswered += 1
        if self._unanswered > self._patience:
            self._fail("it has stalled")
        elif self.buf_frame.qsize() < MAX_WAITING and not self.buf_available.empty():
            base = _base(super())
            with isolated(self._fail), _Loan(request) as loan:
                base.encode(stream, loan)

    def outputframe(self, *arguments: Any, **options: Any) -> None:
        """In the encoder's thread: deliver an access unit."""
        self._unanswered = 0
        _base(super()).outputframe(*arguments, **options)

    def thread_poll(self, buf_available: queue.Queue[int]) -> None:
        """Run the encoder's thread."""
        base = _base(super())
        with isolated(self._fail):
            base.thread_poll(buf_available)
        self.release_pictures()

    def release_pictures(self) -> None:
        """Give pictures that will not be encoded back to the camera."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.buf_frame.get_nowait().release()

    def _fail(self, cause: object) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._report(SourceError(StreamReason.ENCODER, f"the second hardware encoder has failed: {cause}"))


class _Loan:
    """A picture (picamera2's `CompletedRequest`) that is lent to an encoder, which gives it back unless it fails."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._is_held = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    def acquire(self) -> None:
        """Keep the camera from reusing the picture's buffer."""
        self._request.acquire()
        self._is_held = True

    def __enter__(self) -> _Loan:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is not None and self._is_held:
            self._request.release()


def _base(encoder: Any) -> Any:
    """Return picamera2's side of the mixin; mypy cannot know it."""
    return encoder
