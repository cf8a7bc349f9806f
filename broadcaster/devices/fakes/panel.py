"""A live button to press and a tally lamp to look at, in memory."""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.signaling.words import StreamState


class FakePanel:
    """`ports.Panel` without pins: `press` is the finger, `shown` all that the lamp has said since `open`."""

    def __init__(self) -> None:
        self.shown: list[StreamState] = []
        self._pressed: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the button is watched."""
        return self._pressed is not None

    def open(self, pressed: Callable[[], None]) -> None:
        """Start watching the button. Raises RuntimeError if it is watched already: pins are taken once."""
        if self._pressed:
            raise RuntimeError("the panel is open already")
        self.shown.clear()
        self._pressed = pressed

    def show(self, state: StreamState) -> None:
        """Let the lamp say `state`; nothing can be said once the pins are released."""
        if self._pressed:
            self.shown.append(state)

    def close(self) -> None:
        """Lamp off, pins released; idempotent."""
        self._pressed = None

    def press(self) -> None:
        """Press the button and let go; nobody notices while the panel is closed."""
        if self._pressed:
            self._pressed()
