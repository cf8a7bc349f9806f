"""From the finger to the viewer, and from a dead camera to a dark lamp."""

from __future__ import annotations

import time

from tests.bench.figures import Figure, median
from tests.bench.options import Options
from tests.rigs.light import LightViewer
from tests.rigs.panel import PRESS, panel_rig

RUNS = 10
STALLS = 3


async def measure(options: Options) -> list[Figure]:
    """Mock pins and a fake camera; the finger's own time on the button is left out."""
    pressed = [await _press() for _ in range(RUNS)]
    vanished = [await _death("vanish") for _ in range(STALLS)]
    stalled = [await _death("stall") for _ in range(STALLS)]
    return [
        median("button let go to live at a connected viewer", pressed, "s", "under 1 s", 3),
        median("camera unplugged: lamp off and viewer told", vanished, "s", "within 2.5 s", 3),
        median("camera silent: lamp off and viewer told", stalled, "s", "within 2.5 s", 3),
    ]


async def _press() -> float:
    async with panel_rig() as rig, LightViewer(rig.port) as viewer:
        await viewer.message("welcome")
        pressed = await rig.press()
        await viewer.message("stream", limit=10, state="live")
        return time.monotonic() - pressed - PRESS


async def _death(fault: str) -> float:
    async with panel_rig() as rig, LightViewer(rig.port) as viewer:
        await viewer.message("welcome")
        await rig.press()
        await viewer.message("stream", limit=10, state="live")
        killed = time.monotonic()
        getattr(rig.camera, fault)()
        await viewer.message("stream", limit=10, state="failed")
        return max(time.monotonic() - killed, rig.dark_since(killed) or 0.0)
