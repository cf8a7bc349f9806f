"""A simulated hardware encoder: /dev/video11 with the ioctls of a V4L2 memory-to-memory encoder."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from types import ModuleType

from broadcaster.devices.fakes import canned

BUFFER = 512 << 10
SPEED_UP = 40
"""Factor by which polling intervals of picamera2's threads (0.2 and 0.4 s) are shortened, so that they end sooner."""


class SimulatedCodec:
    """The device, which can be opened several times: `contexts` are all its open and closed files.

    `errors` are raised by the ioctls with those names, and by "open", in all contexts.
    """

    def __init__(self) -> None:
        import videodev2  # noqa: PLC0415 - comes with the tests' picamera2

        self.v4l2 = videodev2
        self.names = _names(videodev2)
        self.contexts: list[CodecContext] = []
        self.errors: dict[str, OSError] = {}

    @property
    def log(self) -> list[object]:
        """What configured the contexts, those opened first first."""
        return [entry for context in self.contexts for entry in context.log]

    @property
    def opened(self) -> int:
        """How often the device was opened."""
        return len(self.contexts)

    @property
    def closed(self) -> bool:
        """Whether no context is open."""
        return all(context.closed for context in self.contexts)

    def open(self, path: str, *_: object, **__: object) -> CodecContext:
        """Implement the built-in `open`."""
        assert path == "/dev/video11"
        if error := self.errors.get("open"):
            raise error
        self.contexts.append(CodecContext(self))
        return self.contexts[-1]

    def ioctl(self, fd: object, request: int, argument: object = 0, *_: object) -> int:
        """Implement `fcntl.ioctl`."""
        return fd.ioctl(request, argument) if isinstance(fd, CodecContext) else 0  # of the DMA heap


class CodecContext:
    """An open file of the device: one encoder, with canned access units of the configured size.

    A picture queued on the output side comes back at once, and leaves an access unit on the capture side. `log` lists
    the ioctls that configured it; `pictures` are the encoded pictures by their timestamp in µs, represented by their
    first byte. Faults: `errors` are raised by the ioctls with those names; `is_stalled` keeps all pictures; `is_mute`
    returns them without encoding; `is_broken` reports only errors to `poll`; `poll` waits for `poll_gate`, if set,
    and says so by `is_at_gate`.
    """

    def __init__(self, device: SimulatedCodec) -> None:
        self._device = device
        self.v4l2 = device.v4l2
        self.log: list[object] = []
        self.pictures: dict[int, int] = {}
        self.errors: dict[str, OSError] = {}
        self.is_stalled = self.is_mute = self.is_broken = self.is_at_gate = False
        self.poll_gate: threading.Event | None = None
        self.closed = False
        self._memory = os.memfd_create("codec")
        os.ftruncate(self._memory, 16 * BUFFER)
        self._free: deque[int] = deque()
        self._done: deque[int] = deque()
        self._units: deque[tuple[int, int, bool, tuple[int, int]]] = deque()
        self._canned: tuple[bytes, ...] = ()
        self._next = 0
        self._size = 0
        self._change = threading.Condition()

    def fileno(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self._memory

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._memory)

    def poll(self, milliseconds: int) -> int:
        """Wait as `select.poll` does; return the mask."""
        if self.poll_gate:
            self.is_at_gate = True
            self.poll_gate.wait()
        with self._change:
            if self.is_broken:
                self._change.wait(milliseconds / SPEED_UP / 1000)  # a real device would not even wait
                return select.POLLERR
            self._change.wait_for(lambda: self._done or self._units, milliseconds / SPEED_UP / 1000)
            return (select.POLLOUT if self._done else 0) | (select.POLLIN if self._units else 0)

    def ioctl(self, request: int, argument: object) -> int:
        self.fileno()
        name = self._device.names[request & 0xFFFFFFFF]
        if error := self.errors.get(name) or self._device.errors.get(name):
            raise error
        if isinstance(argument, bytes):
            argument = self.v4l2.v4l2_control.from_buffer_copy(argument)
        with self._change:
            getattr(self, f"_{name.removeprefix('VIDIOC_').lower()}", lambda _: None)(argument)
            self._change.notify_all()
        return 0

    def _s_ctrl(self, control) -> None:
        self.log.append((self._device.names[control.id], control.value))
        if control.id == self.v4l2.V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME:
            self._next = 0

    def _s_ext_ctrls(self, controls) -> None:
        entries = [controls.controls[index] for index in range(controls.count)]
        self.log += [(self._device.names[entry.id], entry.value) for entry in entries]

    def _s_fmt(self, argument) -> None:
        pixels = argument.fmt.pix_mp
        self.log.append(("format", pixels.width, pixels.height))
        if argument.type == self.v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
            self._size = pixels.plane_fmt[0].bytesperline * pixels.height * 3 // 2
            self._canned = canned.pictures(pixels.width, pixels.height)

    def _streamon(self, _) -> None:
        self.log.append("on")

    def _streamoff(self, _) -> None:
        self.log.append("off")

    def _querybuf(self, buffer) -> None:
        buffer.m.planes[0].length = BUFFER
        buffer.m.planes[0].m.mem_offset = buffer.index * BUFFER

    def _qbuf(self, buffer) -> None:
        if buffer.type == self.v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
            self._free.append(buffer.index)
            return
        plane = buffer.m.planes[0]
        assert plane.bytesused == self._size <= os.fstat(plane.m.fd).st_size
        if self.is_stalled:
            return
        self._done.append(buffer.index)
        if self._free and not self.is_mute:
            self._encode((buffer.timestamp.tv_sec, buffer.timestamp.tv_usec), plane.m.fd)

    def _encode(self, timestamp: tuple[int, int], picture: int) -> None:
        self.pictures[timestamp[0] * 1_000_000 + timestamp[1]] = os.pread(picture, 1, 0)[0]
        data, key = self._canned[self._next], self._next == 0
        self._next = (self._next + 1) % len(self._canned)
        index = self._free.popleft()
        os.pwrite(self._memory, data, index * BUFFER)
        self._units.append((index, len(data), key, timestamp))

    def _dqbuf(self, buffer) -> None:
        if buffer.type == self.v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
            buffer.index = self._done.popleft()
            return
        buffer.index, length, key, (buffer.timestamp.tv_sec, buffer.timestamp.tv_usec) = self._units.popleft()
        buffer.m.planes[0].bytesused, buffer.m.planes[0].length = length, BUFFER
        buffer.flags = self.v4l2.V4L2_BUF_FLAG_KEYFRAME if key else 0


class Poll:
    """`select.poll` for one context."""

    def register(self, context: CodecContext, *_: object) -> None:
        self._context, self._fd = context, context.fileno()

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        mask = self._context.poll(milliseconds)
        return [(self._fd, mask)] if mask else []


def _names(v4l2: ModuleType) -> dict[int, str]:
    """Return the names of ioctls and controls by number."""
    return {
        value & 0xFFFFFFFF: name
        for name, value in vars(v4l2).items()
        if name.startswith(("VIDIOC_", "V4L2_CID_MPEG")) and isinstance(value, int)
    }
