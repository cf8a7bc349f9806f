"""Time from the button to the viewer, and from a lost camera to a dark LED."""

from __future__ import annotations

import time

from tests.bench.measurement import Options, Result, median
from tests.rigs.light import LightViewer
from tests.rigs.panel import PRESS, panel_rig

RUNS = 10
FAULT_RUNS = 3


async def measure(options: Options) -> list[Result]:
    """With mock pins and a fake camera; the time for which the button is held down is not counted."""
    pressed = [await _press() for _ in range(RUNS)]
    unplugged = [await _camera_fault("vanish") for _ in range(FAULT_RUNS)]
    stalled = [await _camera_fault("stall") for _ in range(FAULT_RUNS)]
    return [
        median("button released to `live` at a connected viewer", pressed, "s", "under 1 s", 3),
        median("camera unplugged to LED off and viewer notified", unplugged, "s", "within 2.5 s", 3),
        median("camera stalled to LED off and viewer notified", stalled, "s", "within 2.5 s", 3),
    ]


async def _press() -> float:
    async with panel_rig() as rig, LightViewer(rig.port) as viewer:
        await viewer.message("welcome")
        pressed = await rig.press()
        await viewer.message("stream", limit=10, state="live")
        return time.monotonic() - pressed - PRESS


async def _camera_fault(fault: str) -> float:
    async with panel_rig() as rig, LightViewer(rig.port) as viewer:
        await viewer.message("welcome")
        await rig.press()
        await viewer.message("stream", limit=10, state="live")
        began = time.monotonic()
        getattr(rig.camera, fault)()
        await viewer.message("stream", limit=10, state="failed")
        return max(time.monotonic() - began, rig.dark_since(began) or 0.0)
