"""A network with one bad link between two namespaces; loss, delay and bandwidth can be changed at any time.

The daemon and the healthy viewers run in `near`; `far` is behind the link. TUN devices on both sides lead into a
process of its own, which delays or drops packets as the link would.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import heapq
import json
import math
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

from tests.rigs.namespaces import Namespace

NEAR, FAR = "10.98.0.1", "10.98.0.2"
"""Addresses of the two ends of the first link; those of further ones differ in the third number."""

_DEVICE = "shaped"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_MAX_READ = 65536


@dataclass(frozen=True, slots=True)
class Link:
    """Properties of the link in each direction.

    `loss` is a fraction, `rate` in bits per second, `delay` and `queue` in seconds: a packet that would wait longer
    than `queue` is dropped.
    """

    loss: float = 0.0
    rate: float = math.inf
    delay: float = 0.01
    queue: float = 0.3


class Shaper:
    """The two namespaces with the link between them; `host` is the address of the near end."""

    def __init__(self, near: Namespace, far: Namespace, process: asyncio.subprocess.Process, index: int = 0) -> None:
        self.near = near
        self.far = far
        self.host = _addresses(index)[0]
        self._device = f"{_DEVICE}{index}"
        self._process = process

    def set(self, link: Link) -> None:
        """Change the properties of the link."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(link)).encode() + b"\n")

    def move(self, address: str) -> None:
        """Change the address of the far end, as after a change of network."""
        with self.far.inside():
            self.far.ip(f"addr flush dev {self._device} scope global")
            self.far.ip(f"addr add {address} peer {self.host} dev {self._device}")
            self.far.ip(f"route replace default dev {self._device}")


@contextlib.asynccontextmanager
async def shaped() -> AsyncIterator[Shaper]:
    """Build the network inside the `async with` block. Raises `OSError` without root."""
    async with shaped_links(1) as links:
        yield links[0]


@contextlib.asynccontextmanager
async def shaped_links(number: int) -> AsyncIterator[list[Shaper]]:
    """Build `number` links, from the same near namespace to a far one each. Raises `OSError` without root."""
    async with contextlib.AsyncExitStack() as stack:
        near = stack.enter_context(contextlib.closing(Namespace()))
        yield [await stack.enter_async_context(_link(near, index)) for index in range(number)]


@contextlib.asynccontextmanager
async def _link(near: Namespace, index: int) -> AsyncIterator[Shaper]:
    with contextlib.closing(Namespace()) as far:
        near_address, far_address = _addresses(index)
        with contextlib.ExitStack() as ends:
            devices = [_device(near, index, near_address, far_address), _device(far, index, far_address, near_address)]
            for device in devices:
                ends.callback(os.close, device)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.rigs.shaper", *map(str, devices)),
                stdin=subprocess.PIPE,
                pass_fds=devices,
            )
        try:
            yield Shaper(near, far, process, index)
        finally:
            process.kill()
            await process.wait()


def _addresses(index: int) -> tuple[str, str]:
    """Return the addresses of the near and the far end of a link."""
    return tuple(address.replace(".0.", f".{index}.") for address in (NEAR, FAR))  # type: ignore[return-value]


def _device(namespace: Namespace, index: int, address: str, other: str) -> int:
    """Create a TUN device as the route to `other`, and as the default route if there is none; return its descriptor."""
    name = f"{_DEVICE}{index}"
    with namespace.inside():
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
        namespace.ip(f"link set {name} up mtu 1500 addrgenmode none")
        namespace.ip(f"addr add {address} peer {other} dev {name}")
        namespace.ip(f"route append default dev {name}")
    return device


class _Direction:
    """One direction of the link: the device at the far end, and until when the bottleneck is busy."""

    def __init__(self, out: int) -> None:
        self.out = out
        self._busy = 0.0

    def arrives_at(self, size: int, link: Link, now: float) -> float | None:
        """Return when a packet of `size` bytes sent now arrives at the other end; None if it is lost."""
        if random.random() < link.loss:
            return None
        done = max(self._busy, now) + size * 8 / link.rate
        if done - now > link.queue:
            return None
        self._busy = done
        return done + link.delay


class _Relay:
    """The relay process: delivers packets in time, and reads new link properties from standard input until it ends."""

    def __init__(self, near: int, far: int) -> None:
        self._link = Link()
        self._directions = {near: _Direction(far), far: _Direction(near)}
        self._in_flight: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Run until standard input ends."""
        sources = [*self._directions, sys.stdin.fileno()]
        while True:
            wait = max(0.0, self._in_flight[0][0] - time.monotonic()) if self._in_flight else None
            for ready in select.select(sources, [], [], wait)[0]:
                if ready in self._directions:
                    self._receive(ready)
                elif not self._read_link():
                    return
            self._deliver()

    def _read_link(self) -> bool:
        lines = os.read(sys.stdin.fileno(), _MAX_READ).splitlines()
        if lines:
            self._link = Link(**json.loads(lines[-1]))
        return bool(lines)

    def _receive(self, device: int) -> None:
        direction = self._directions[device]
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(device, _MAX_READ)
                due = direction.arrives_at(len(packet), self._link, time.monotonic())
                if due is not None:
                    self._count += 1
                    heapq.heappush(self._in_flight, (due, self._count, direction.out, packet))

    def _deliver(self) -> None:
        while self._in_flight and self._in_flight[0][0] <= time.monotonic():
            _, _, out, packet = heapq.heappop(self._in_flight)
            with contextlib.suppress(OSError):  # the device's queue is full, or the device is going down
                os.write(out, packet)


if __name__ == "__main__":
    _Relay(*map(int, sys.argv[1:])).run()
