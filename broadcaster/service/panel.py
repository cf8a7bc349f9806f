"""The panel control: connects buttons and tally light with the stream and the recorder."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from broadcaster.errors import PanelError, RecordError
from broadcaster.model.stream import StreamStatus
from broadcaster.ports import Control, Panel, StoredFlag, StreamControl
from broadcaster.settings import HoldAction

if TYPE_CHECKING:
    from broadcaster.ports.recording import RecorderControl

log = logging.getLogger(__name__)


class PanelControl:
    """Turns button presses into the same requests as the API's, and shows the stream's actual state on the tally light.

    `power_off` is called on a long press if `hold_action` is "shutdown". `muted` stores whether a long press has muted
    the audio: a restart must not open a microphone that the owner has muted. `recorder` saves clips; None if it is off.
    """

    def __init__(
        self,
        panel: Panel,
        stream: StreamControl,
        hold_action: HoldAction,
        power_off: Callable[[], None],
        muted: StoredFlag,
        recorder: RecorderControl | None = None,
    ) -> None:
        self._panel = panel
        self._stream = stream
        self._hold_action = hold_action
        self._power_off = power_off
        self._muted = muted
        self._recorder = recorder
        self._clip: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self.is_open = False

    def open(self) -> None:
        """Open the panel; log a warning and go on without it if its pins cannot be used."""
        try:
            self._panel.open(self._control_used)
        except PanelError as error:
            log.warning("no live button and no tally light: %s", error)
            return
        self.is_open = True
        if self._hold_action == "mute" and self._muted.load():
            self._stream.mute(True)
        self._unwatch = self._stream.watch(self._show)
        self._show(self._stream.status)

    def close(self) -> None:
        """Switch the LEDs off and release the pins; idempotent."""
        self._unwatch()
        self._unwatch = lambda: None
        if self._clip is not None:
            self._clip.cancel()
        self._panel.close()

    def _show(self, status: StreamStatus) -> None:
        self._panel.show(status.state, muted=self._stream.muted)

    def _control_used(self, control: Control) -> None:
        log.info("panel: %s", control)
        if control is Control.TOGGLE:
            self._stream.toggle()
        elif control is Control.HOLD:
            self._hold()
        else:
            self._stream.set_live(control is Control.START)

    def _hold(self) -> None:
        if self._hold_action == "shutdown":
            self._panel.acknowledge()
            self._power_off()
        elif self._hold_action == "mute":
            self._mute(not self._stream.muted)
        elif self._hold_action == "clip" and self._recorder is not None:
            self._clip = asyncio.create_task(self._save_clip(self._recorder), name="panel clip")

    async def _save_clip(self, recorder: RecorderControl) -> None:
        """Save a clip; the tally light confirms it when it is on the disk."""
        try:
            await recorder.clip()
        except RecordError as error:
            log.warning("panel: no clip saved: %s", error)
        else:
            self._panel.acknowledge()

    def _mute(self, muted: bool) -> None:
        self._stream.mute(muted)
        if self._stream.muted is not muted:
            log.info("no audio to mute")
            return
        self._muted.save(muted)
        log.info("audio %s", "muted" if muted else "unmuted")
        self._panel.acknowledge()
