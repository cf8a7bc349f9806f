"""The whole daemon in this process, with a fake camera and gpiozero's mock pins."""

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
"""Duration of a button press in seconds."""
BOUNCES = 4
"""Contact bounces at each change of the button."""
START_LIMIT = 20.0
"""Seconds; generous, because test machines are shared."""


class TimedPin(MockPin):
    """A mock pin that records its level changes, with monotonic times."""

    def __init__(self, *arguments: Any) -> None:
        self.history: list[tuple[float, bool]] = []
        super().__init__(*arguments)

    def _change_state(self, value: bool) -> bool:
        self.history.append((time.monotonic(), value))
        return bool(super()._change_state(value))


class PanelRig:
    """A running daemon with a live button and two LEDs; `port` is that of the page."""

    def __init__(self) -> None:
        self.camera = FakeCamera(SystemClock(), real_time=True)
        self.microphone = FakeMicrophone(SystemClock(), real_time=True)
        self.factory = MockFactory(pin_class=TimedPin)
        self.listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.port = 0

    def announce(self, port: int, *_: object) -> None:
        """Take the port of the daemon (`app.Announce`)."""
        self.listening.set_result(port)

    @property
    def lamp(self) -> bool:
        """Whether the tally light is on."""
        return bool(self.factory.pin(LAMP).state)

    @property
    def watch_lamp(self) -> bool:
        """Whether the second LED is on."""
        return bool(self.factory.pin(WATCH_LAMP).state)

    def dark_since(self, moment: float) -> float | None:
        """Return the seconds from `moment` until the tally light went off; None if it did not."""
        history = self.factory.pin(LAMP).history
        return next((at - moment for at, lit in history if at >= moment and not lit), None)

    def sources(self, *_: object) -> tuple[FakeCamera, FakeMicrophone]:
        """Return the fake camera and microphone (`app.MakeSources`)."""
        return self.camera, self.microphone

    async def press(self, seconds: float = PRESS) -> float:
        """Press the button in another thread, with bounces; return the monotonic time of the press."""
        return await asyncio.to_thread(self._press, seconds)

    async def wait_for_lamp(self, lit: bool, seconds: float) -> None:
        """Wait until the tally light has been on (or off) for `seconds`."""
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
    """Run the daemon, offline at first; with `pins_missing`, gpiozero finds no pins, as on other machines than a Pi."""
    rig = PanelRig()
    assignments = ["web.port=0", "web.host=127.0.0.1", "stream.start=offline", "panel.enabled=true"]
    with tempfile.TemporaryDirectory(prefix="broadcaster-test-") as folder, contextlib.ExitStack() as patches:
        factory = Mock(side_effect=PinUnknownPi("scripted") if pins_missing else None, return_value=rig.factory)
        patches.enter_context(patch.object(pins, "pin_factory", factory))
        effective = read("", [*assignments, f"panel.watch_lamp={WATCH_LAMP}", f"stream.state_dir={folder}", *settings])
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
