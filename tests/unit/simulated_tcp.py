"""A viewer of `/media` behind a simulated TCP connection: a bottleneck with a buffer, in simulated time."""

from __future__ import annotations

from collections import deque

from broadcaster.media.mp4 import Sample
from broadcaster.media.mp4_reader import read
from broadcaster.model.stream import Quality
from broadcaster.outputs.viewer import MuxedViewer

DELAY = 0.02
"""Seconds in one direction."""


class SimulatedPlayer:
    """Receives what is written (`viewer.Outlet`) at `rate` bits per second, and acknowledges each message.

    `buffer` is how many bytes the network takes at once: the bottleneck's queue, and the memory of proxies. With rate 0
    the link is down.
    """

    def __init__(self, rate: float, buffer: int = 32_000) -> None:
        self.rate = rate
        self.is_writable = True
        self.network = f"192.0.2.{id(self) % 250}"
        self.viewer: MuxedViewer
        self.qualities: list[Quality] = []
        self.timeouts = 0
        self.failed = False
        self.segments: list[bytes] = []
        self.pictures: list[tuple[float, Sample]] = []
        self._buffer = buffer
        self._local = 0
        self._queue: deque[list[int]] = deque()
        self._frames: deque[bytes] = deque()
        self._credit = 0.0
        self._acks: deque[tuple[float, int]] = deque()
        self._acknowledged = 0

    def write(self, data: bytes) -> None:
        assert self.is_writable
        self._local += len(data)
        for frame in split_frames(data):
            self._frames.append(frame)
            self._queue.append([len(frame), len(frame)])
        self._fill()

    def quality_chosen(self, quality: Quality) -> None:
        self.qualities.append(quality)

    def timed_out(self) -> None:
        self.timeouts += 1

    def sending_failed(self) -> None:
        self.failed = True

    def step(self, now: float, seconds: float) -> None:
        """Let time pass: deliver what the link carries, and return the acknowledgements."""
        self._credit = min(self._credit, 0.0) + self.rate * seconds / 8 if self.rate else 0.0
        while self._queue and self._credit >= 1:
            part = min(self._queue[0][0], int(self._credit))
            self._queue[0][0] -= part
            self._credit -= part
            if not self._queue[0][0]:
                self._queue.popleft()
                self._deliver(self._frames.popleft(), now + DELAY)
        was_blocked = not self.is_writable
        self._fill()
        while self._acks and self._acks[0][0] <= now:
            _, count = self._acks.popleft()
            self.viewer.ack(count)
        if was_blocked and self.is_writable:
            self.viewer.flush()

    @property
    def movie(self) -> list[Sample]:
        """All pictures that have arrived."""
        return [sample for part in read(b"".join(self.segments)).fragments for sample in part.video]

    def _fill(self) -> None:
        """Take into the network what fits."""
        waiting = sum(left for left, _ in self._queue)
        self._local = max(0, waiting - self._buffer)
        self.is_writable = not self._local

    def _deliver(self, frame: bytes, now: float) -> None:
        if frame[0] != 0x82:
            return
        payload = frame[2 if frame[1] < 126 else 4 if frame[1] == 126 else 10 :]
        self.segments.append(payload)
        self._acks.append((now + DELAY, len(self.segments)))
        if payload[4:8] == b"moof":
            fragments = read(self.segments[0] + payload).fragments
            self.pictures += [(now, sample) for sample in fragments[0].video]


def split_frames(data: bytes) -> list[bytes]:
    """Return the WebSocket frames of a server (RFC 6455 §5.2)."""
    frames = []
    while data:
        size, header = data[1], 2
        if size == 126:
            size, header = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, header = int.from_bytes(data[2:10], "big"), 10
        frames.append(data[: header + size])
        data = data[header + size :]
    return frames
