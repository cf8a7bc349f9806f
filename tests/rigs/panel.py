"""The daemon as `broadcaster/app.py` composes it, with a fake camera and gpiozero's mock pins, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock, patch

from gpiozero import PinUnknownPi
from gpiozero.pins.mock import MockFactory, MockPin

from broadcaster.app import serve
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.fakes import FakeCamera, FakeMicrophone
from broadcaster.devices.panel import pins
from broadcaster.settings import read

BUTTON, LAMP, WATCH_LAMP = 17, 27, 22
PRESS = 0.1
"""Seconds for which the finger stays on the button."""
BOUNCES = 4
START_LIMIT = 20.0
"""Seconds; generous, because test machines are shared."""


class TimedPin(MockPin):
    """Writes down when it went to which level, by the monotonic clock."""

    def __init__(self, *arguments: Any) -> None:
        self.history: list[tuple[float, bool]] = []
        super().__init__(*arguments)

    def _change_state(self, value: bool) -> bool:
        self.history.append((time.monotonic(), value))
        return bool(super()._change_state(value))


class PanelRig:
    """A running daemon with a button to press and a lamp to look at; `port` is its page's."""

    def __init__(self) -> None:
        self.camera = FakeCamera(SystemClock(), real_time=True)
        self.microphone = FakeMicrophone(SystemClock(), real_time=True)
        self.factory = MockFactory(pin_class=TimedPin)
        self.listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.port = 0

    def announce(self, port: int, report: object) -> None:
        """The daemon serves (`app.Announce`)."""
        self.listening.set_result(port)

    @property
    def lamp(self) -> bool:
        """Whether the tally lamp is lit now."""
        return bool(self.factory.pin(LAMP).state)

    @property
    def watch_lamp(self) -> bool:
        """Whether the second lamp is lit now."""
        return bool(self.factory.pin(WATCH_LAMP).state)

    def dark_since(self, moment: float) -> float | None:
        """Seconds from `moment` until the tally lamp went dark, or None if it did not."""
        history = self.factory.pin(LAMP).history
        return next((at - moment for at, lit in history if at >= moment and not lit), None)

    def sources(self, *_: object) -> tuple[FakeCamera, FakeMicrophone]:
        """Its camera and microphone, for the daemon."""
        return self.camera, self.microphone

    async def press(self, seconds: float = PRESS) -> float:
        """Press the button from another thread, with bounce; the monotonic time at which the finger came down."""
        return await asyncio.to_thread(self._press, seconds)

    async def lamp_is(self, lit: bool, seconds: float) -> None:
        """Wait until the tally lamp has been so for so long."""
        async with asyncio.timeout(START_LIMIT):
            while self.lamp is not lit or time.monotonic() - self.factory.pin(LAMP).history[-1][0] < seconds:
                await asyncio.sleep(0.01)

    def _press(self, seconds: float) -> float:
        pin, began = self.factory.pin(BUTTON), time.monotonic()
        for closed in (True, False):
            for level in [closed, *[not closed, closed] * BOUNCES]:
                pin.drive_low() if level else pin.drive_high()
            if closed:
                time.sleep(seconds)
        return began


@contextlib.asynccontextmanager
async def panel_rig(*settings: str, pins_missing: bool = False) -> AsyncIterator[PanelRig]:
    """Run it, offline, until left; with `pins_missing` as on a machine that is no Pi."""
    rig = PanelRig()
    chosen = ["web.port=0", "web.host=127.0.0.1", "stream.start=offline", "panel.enabled=true"]
    with tempfile.TemporaryDirectory(prefix="broadcaster-test-") as folder, contextlib.ExitStack() as patches:
        factory = Mock(side_effect=PinUnknownPi("scripted") if pins_missing else None, return_value=rig.factory)
        patches.enter_context(patch.object(pins, "pin_factory", factory))
        effective = read("", [*chosen, f"panel.watch_lamp={WATCH_LAMP}", f"stream.state_dir={folder}", *settings])
        serving = asyncio.create_task(serve(effective, live=False, announce=rig.announce, make_sources=rig.sources))
        try:
            async with asyncio.timeout(START_LIMIT):
                await asyncio.wait({rig.listening, serving}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            rig.port = await rig.listening
            yield rig
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
