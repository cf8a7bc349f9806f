"""The process under measurement: the daemon as `broadcaster.app` composes it, but for the pictures and,
on request, the engine that sends them.

`python -m tests.bench.engine ours|aiortc SHAPE [lag]` prints `{"port": …}`, then answers each line on its standard
input, the name of one of `Engine`'s methods below, with one line of JSON, until that ends.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import io
import json
import pstats
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from broadcaster import app
from broadcaster.devices.clock import SystemClock
from broadcaster.model.stats import Traffic
from broadcaster.ports import Clock, Peer, PeerFactory, PeerListener
from broadcaster.settings import Settings, StreamSettings, WebSettings
from tests.bench.lag import LagMeter, PauseMeter
from tests.bench.pictures import Shape, SyntheticSource
from tests.bench.stock import StockPeers

TOP = 30
"""Functions that a profile names."""


class CountedPeers:
    """`ports.PeerFactory` that knows which of another's peer connections are open."""

    def __init__(self, factory: PeerFactory) -> None:
        self._factory = factory
        self.open: set[CountedPeer] = set()

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> CountedPeer:
        return CountedPeer(self._factory.create(viewer, listener, reached_at), self.open)

    def traffic(self) -> Traffic:
        return sum((peer.stats() for peer in self.open), Traffic())


class CountedPeer:
    """`ports.Peer`: another's, which is not counted any more once it is closed."""

    def __init__(self, peer: Peer, opened: set[CountedPeer]) -> None:
        self._peer = peer
        self._open = opened
        opened.add(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)

    async def close(self) -> None:
        self._open.discard(self)
        await self._peer.close()


class _MeasuredDaemon(app.Daemon):
    """The daemon with peer connections that are counted, or with aiortc's own sender."""

    def __init__(self, settings: Settings, sources: app.Sources, clock: Clock, *, stock: bool) -> None:
        self._stock = StockPeers(sources[0]) if stock else None
        super().__init__(settings, sources, clock)

    def make_peers(self, *arguments: Any, **options: Any) -> CountedPeers:
        self.counted = CountedPeers(self._stock or super().make_peers(*arguments, **options))
        return self.counted


class Engine:
    """The daemon and what can be asked of it from outside."""

    def __init__(self, kind: str, shape: Shape) -> None:
        self._kind = kind
        self._source = SyntheticSource(shape)
        self._peers: CountedPeers | None = None
        self._profile: cProfile.Profile | None = None
        self.lag: LagMeter | None = None
        self._pauses = PauseMeter()

    async def run(self, announce: Callable[[int], None]) -> None:
        """Serve until SIGTERM."""
        with tempfile.TemporaryDirectory(prefix="broadcaster-bench-") as folder:
            web = WebSettings(host="127.0.0.1", port=0, max_viewers=1000)
            settings = Settings(stream=StreamSettings(state_dir=folder), web=web)
            daemon = _MeasuredDaemon(settings, (self._source, None), SystemClock(), stock=self._kind == "aiortc")
            self._peers = daemon.counted
            await daemon.run(live=True, announce=lambda port, _: announce(port))

    def figures(self) -> dict[str, Any]:
        """CPU time, and what was sent with it."""
        cpu, now = time.process_time(), time.monotonic()
        stats = [peer.stats() for peer in self._peers.open] if self._peers else []
        return {
            "cpu": cpu,
            "now": now,
            "connected": sum(peer.connected for peer in stats),
            "watching": sum(peer.video_packets > 0 for peer in stats),
            "packets": sum(peer.video_packets for peer in stats),
            "errors": sum(peer.send_errors for peer in stats),
            "peers": len(stats),
            "tasks": len(asyncio.all_tasks()),
            "keyframes_requested": self._source.keyframes_requested,
        }

    def lags(self) -> list[float]:
        """How late the loop was, in ms, since the last time."""
        return self.lag.take() if self.lag else []

    def pauses(self) -> list[tuple[int, float]]:
        """Each garbage collection since the last time: its generation, and how many ms it took."""
        return self._pauses.take()

    def garbage(self) -> int:
        """Collect everything now; how many objects only the collector could free."""
        found = gc.collect()
        self._pauses.take()
        return found

    def profile(self) -> dict[str, str]:
        """The first time starts the profiler, the second stops it and gives its table."""
        if self._profile is None:
            self._profile = cProfile.Profile()
            self._profile.enable()
            return {}
        self._profile.disable()
        table = io.StringIO()
        pstats.Stats(self._profile, stream=table).strip_dirs().sort_stats("tottime").print_stats(TOP)
        self._profile = None
        return {"table": table.getvalue()}


async def _main(kind: str, shape: Shape, with_lag: bool) -> None:
    engine = Engine(kind, shape)
    if with_lag:
        engine.lag = LagMeter()
    answering = asyncio.create_task(_answer(engine))
    await engine.run(lambda port: _say({"port": port}))
    await answering


async def _answer(engine: Engine) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    answers: dict[bytes, Callable[[], object]] = {
        b"figures": engine.figures,
        b"garbage": engine.garbage,
        b"lags": engine.lags,
        b"pauses": engine.pauses,
        b"profile": engine.profile,
    }
    while line := await reader.readline():
        _say(answers[line.strip()]())
    signal.raise_signal(signal.SIGTERM)


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Shape(**json.loads(sys.argv[2])), "lag" in sys.argv[3:]))
