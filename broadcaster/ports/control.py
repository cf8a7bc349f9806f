"""The interfaces of panel and stored state, and the stream as panel, API and viewers control it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from broadcaster.model.stats import StreamReport
from broadcaster.model.stream import StreamState, StreamStatus
from broadcaster.settings.layers import LayeredSettings


class Control(StrEnum):
    """An action at the panel; the value is its name in the log."""

    TOGGLE = "live button"
    START = "start button"
    STOP = "stop button"
    HOLD = "long press"


class Panel(Protocol):
    """The hardware controls: buttons, the tally light, and a second LED that shows whether there are viewers."""

    def open(self, on_control: Callable[[Control], None]) -> None:
        """Start watching the buttons; `on_control` is called on the event loop's thread. Raises `PanelError`."""

    def show(self, state: StreamState, *, muted: bool) -> None:
        """Show `state`, and whether the audio is muted, on the tally light."""

    def show_viewers(self, count: int) -> None:
        """Show on the second LED whether there are viewers."""

    def acknowledge(self) -> None:
        """Flicker the tally light briefly to confirm a long press."""

    def close(self) -> None:
        """Switch the LEDs off and release the pins; idempotent."""


class StoredFlag(Protocol):
    """A boolean that survives a restart."""

    def load(self) -> bool:
        """Return the stored value; False when there is none."""

    def save(self, value: bool) -> None:
        """Store the value; a write error is logged, and not raised."""


class StreamControl(Protocol):
    """The stream, as panel, API and viewers control it."""

    @property
    def status(self) -> StreamStatus:
        """The current status, as viewers see it."""

    def set_live(self, live: bool) -> None:
        """Set the desired state; does nothing if the stream is already in it."""

    def toggle(self) -> None:
        """Invert the desired state, as a press of the live button does."""

    @property
    def muted(self) -> bool:
        """Whether the audio is muted."""

    def mute(self, muted: bool) -> None:
        """Mute or unmute the audio; does nothing without an audio source."""

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        """Call `listener` whenever `status` changes; return a function that removes it."""

    def report(self) -> StreamReport:
        """Return statistics for the operator."""


class SettingsControl(Protocol):
    """The daemon's settings, as the owner's page shows and changes them; `revision` counts their changes."""

    revision: int

    @property
    def current(self) -> LayeredSettings:
        """The settings with which the daemon would start now."""

    @property
    def pending(self) -> tuple[str, ...]:
        """The settings that wait for the next start."""

    def change(self, values: Mapping[str, object]) -> None:
        """Change settings by path, to a value as in TOML, or back to that of the other layers (None).

        Raises `SettingsError` with all problems, and `BroadcasterError` if the change cannot be stored.
        """

    def reset(self) -> None:
        """Change all settings of the page back to the values of the other layers. Raises as `change`."""
