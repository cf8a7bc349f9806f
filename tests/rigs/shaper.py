"""A network with one bad link: loss, delay and a narrow place between two namespaces, changed while it runs.

`near` is where the daemon and the healthy viewers live, `far` lies behind the link. A TUN device on either side
leads into a process of its own, which hands packets over as late as the link would, or not at all.
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
"""Addresses of the two ends."""

_DEVICE = "shaped0"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_LARGEST = 65536


@dataclass(frozen=True, slots=True)
class Link:
    """What the link does in each direction.

    `loss` is a share, `rate` in bits a second, `delay` and `queue` in seconds: what would wait longer than
    `queue` for its turn is dropped.
    """

    loss: float = 0.0
    rate: float = math.inf
    delay: float = 0.01
    queue: float = 0.3


class Shaper:
    """The two namespaces with the link between them."""

    def __init__(self, near: Namespace, far: Namespace, process: asyncio.subprocess.Process) -> None:
        self.near = near
        self.far = far
        self._process = process

    def set(self, link: Link) -> None:
        """From now on the link is like this."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(link)).encode() + b"\n")

    def move(self, address: str) -> None:
        """The far end has another address from now on, as after a change of network."""
        with self.far.inside():
            self.far.ip(f"addr flush dev {_DEVICE} scope global")
            self.far.ip(f"addr add {address} peer {NEAR} dev {_DEVICE}")
            self.far.ip(f"route replace default dev {_DEVICE}")


@contextlib.asynccontextmanager
async def shaped() -> AsyncIterator[Shaper]:
    """Build it; leaving takes it down. Raises `OSError` for who is not root."""
    with contextlib.ExitStack() as stack:
        near, far = (stack.enter_context(contextlib.closing(Namespace())) for _ in range(2))
        with contextlib.ExitStack() as ends:
            devices = [_device(near, NEAR, FAR), _device(far, FAR, NEAR)]
            for device in devices:
                ends.callback(os.close, device)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.rigs.shaper", *map(str, devices)),
                stdin=subprocess.PIPE,
                pass_fds=devices,
            )
        try:
            yield Shaper(near, far, process)
        finally:
            process.kill()
            await process.wait()


def _device(namespace: Namespace, address: str, other: str) -> int:
    """A TUN device in the namespace: what is routed to `other`, or to nowhere else, can be read from it."""
    with namespace.inside():
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", _DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
        namespace.ip(f"link set {_DEVICE} up mtu 1500 addrgenmode none")
        namespace.ip(f"addr add {address} peer {other} dev {_DEVICE}")
        namespace.ip(f"route add default dev {_DEVICE}")
    return device


class _Direction:
    """One way over the link: the far device, and until when the narrow place is busy."""

    def __init__(self, out: int) -> None:
        self.out = out
        self._busy = 0.0

    def leaves_at(self, size: int, link: Link, now: float) -> float | None:
        """When a packet of `size` bytes that comes now is at the other end; None if it never is."""
        if random.random() < link.loss:
            return None
        done = max(self._busy, now) + size * 8 / link.rate
        if done - now > link.queue:
            return None
        self._busy = done
        return done + link.delay


class _Relay:
    """What the process does: hand packets over in time, and read new orders from standard input until it ends."""

    def __init__(self, near: int, far: int) -> None:
        self._link = Link()
        self._ways = {near: _Direction(far), far: _Direction(near)}
        self._flying: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Until standard input ends."""
        watched = [*self._ways, sys.stdin.fileno()]
        while True:
            wait = max(0.0, self._flying[0][0] - time.monotonic()) if self._flying else None
            for ready in select.select(watched, [], [], wait)[0]:
                if ready in self._ways:
                    self._take(ready)
                elif not self._obey():
                    return
            self._deliver()

    def _obey(self) -> bool:
        orders = os.read(sys.stdin.fileno(), _LARGEST).splitlines()
        if orders:
            self._link = Link(**json.loads(orders[-1]))
        return bool(orders)

    def _take(self, device: int) -> None:
        way = self._ways[device]
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(device, _LARGEST)
                due = way.leaves_at(len(packet), self._link, time.monotonic())
                if due is not None:
                    self._count += 1
                    heapq.heappush(self._flying, (due, self._count, way.out, packet))

    def _deliver(self) -> None:
        while self._flying and self._flying[0][0] <= time.monotonic():
            _, _, out, packet = heapq.heappop(self._flying)
            with contextlib.suppress(OSError):  # a device whose queue is full, or that is going down
                os.write(out, packet)


if __name__ == "__main__":
    _Relay(*map(int, sys.argv[1:])).run()
