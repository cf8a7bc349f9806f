"""The process under measurement: the daemon as composed by `broadcaster.app`, with synthetic video and, on request,
with aiortc's own sender.

`python -m tests.bench.engine ours|aiortc SHAPE [lag]` prints `{"port": …}`. Each line on its standard input is the name
of a method of `Engine`, and is answered with one line of JSON. The process exits at the end of its input.
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
from broadcaster.ports import Clock
from broadcaster.settings import Settings, StreamSettings, WebSettings
from tests.bench.aiortc_sender import AiortcPeers
from tests.bench.counted_peers import CountedPeers
from tests.bench.lag import LagMeter, PauseMeter
from tests.bench.synthetic_source import Shape, SyntheticSource

TOP = 30
"""Number of functions in a profile."""


class _MeasuredDaemon(app.Daemon):
    """The daemon with counted peer connections, optionally with aiortc's own sender."""

    def __init__(self, settings: Settings, sources: app.Sources, clock: Clock, *, aiortc_sender: bool) -> None:
        self._aiortc_peers = AiortcPeers(sources[0]) if aiortc_sender else None
        self._source = sources[0]
        super().__init__(settings, sources, clock)

    def make_peers(self, *arguments: Any, **options: Any) -> CountedPeers:
        self.counted = CountedPeers(
            self._aiortc_peers or super().make_peers(*arguments, **options), lambda: self._source.pictures
        )
        return self.counted


class Engine:
    """The daemon, and the methods that the measuring process can call."""

    def __init__(self, kind: str, shape: Shape) -> None:
        self._kind = kind
        self._source = SyntheticSource(shape)
        self._peers: CountedPeers | None = None
        self._profile: cProfile.Profile | None = None
        self.lag: LagMeter | None = None
        self._pauses = PauseMeter()

    async def run(self, announce: Callable[[int], None]) -> None:
        """Serve until SIGTERM; `announce` gets the port."""
        with tempfile.TemporaryDirectory(prefix="broadcaster-bench-") as folder:
            web = WebSettings(host="127.0.0.1", port=0, max_viewers=1000)
            settings = Settings(stream=StreamSettings(state_dir=folder), web=web)
            daemon = _MeasuredDaemon(
                settings, (self._source, None), SystemClock(), aiortc_sender=self._kind == "aiortc"
            )
            self._peers = daemon.counted
            await daemon.run(live=True, announce=lambda port, *_: announce(port))

    def snapshot(self) -> dict[str, Any]:
        """Return the CPU time used so far, and what was sent."""
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
            "slow": sum(peer.health not in ("", "well") for peer in stats),
            "keyframes_requested": self._source.keyframes_requested,
        }

    def shares(self) -> list[float]:
        """Return for each viewer the fraction of the pictures that it was sent, from 3 s after its join on."""
        return self._peers.shares() if self._peers else []

    def lags(self) -> list[float]:
        """Return the event loop's lags since the last call, in ms."""
        return self.lag.take() if self.lag else []

    def pauses(self) -> list[tuple[int, float]]:
        """Return generation and duration (ms) of each garbage collection since the last call."""
        return self._pauses.take()

    def garbage(self) -> int:
        """Run a full collection; return the number of objects that only the collector could free."""
        collected = gc.collect()
        self._pauses.take()
        return collected

    def profile(self) -> dict[str, str]:
        """Start the profiler at the first call; stop it and return its table at the second."""
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
    answers_task = asyncio.create_task(_answer(engine))
    await engine.run(lambda port: _print_json({"port": port}))
    await answers_task


async def _answer(engine: Engine) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    methods: dict[bytes, Callable[[], object]] = {
        b"snapshot": engine.snapshot,
        b"garbage": engine.garbage,
        b"lags": engine.lags,
        b"pauses": engine.pauses,
        b"profile": engine.profile,
        b"shares": engine.shares,
    }
    while line := await reader.readline():
        _print_json(methods[line.strip()]())
    signal.raise_signal(signal.SIGTERM)


def _print_json(answer: object) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Shape(**json.loads(sys.argv[2])), "lag" in sys.argv[3:]))
