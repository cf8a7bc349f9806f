"""The panel: what its buttons ask for, and what its lamps are told."""

from __future__ import annotations

import logging
from collections.abc import Callable

from broadcaster.errors import PanelError
from broadcaster.model.stream import StreamStatus
from broadcaster.ports import Control, Panel, StoredFlag, StreamControl
from broadcaster.settings import HoldAction

log = logging.getLogger(__name__)


class PanelControl:
    """Lets the buttons post the same events as the API, and the tally lamp follow the stream, never the wish.

    `power_off` is what a long press asks for when `hold_action` is shutdown. `muted` keeps what it is for mute:
    a daemon that starts anew must not open a microphone that its owner closed.
    """

    def __init__(
        self,
        panel: Panel,
        live: StreamControl,
        hold_action: HoldAction,
        power_off: Callable[[], None],
        muted: StoredFlag,
    ) -> None:
        self._panel = panel
        self._live = live
        self._hold_action = hold_action
        self._power_off = power_off
        self._muted = muted
        self._unwatch: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Start; where there are no pins to be had, say why and go on without."""
        try:
            self._panel.open(self._used)
        except PanelError as error:
            log.warning("no live button and no lamp: %s", error)
            return
        if self._hold_action == "mute" and self._muted.load():
            self._live.mute(True)
        self._unwatch = self._live.watch(self._show)
        self._show(self._live.status)

    def close(self) -> None:
        """Lamps off, pins released; idempotent."""
        self._unwatch()
        self._unwatch = lambda: None
        self._panel.close()

    def _show(self, status: StreamStatus) -> None:
        self._panel.show(status.state, muted=self._live.muted)

    def _used(self, control: Control) -> None:
        log.info("panel: %s", control)
        if control is Control.TOGGLE:
            self._live.toggle()
        elif control is Control.HOLD:
            self._hold()
        else:
            self._live.set_live(control is Control.START)

    def _hold(self) -> None:
        if self._hold_action == "shutdown":
            self._panel.acknowledge()
            self._power_off()
        elif self._hold_action == "mute":
            self._mute(not self._live.muted)

    def _mute(self, muted: bool) -> None:
        self._live.mute(muted)
        if self._live.muted is not muted:
            log.info("there is no sound to mute")
            return
        self._muted.save(muted)
        log.info("the sound is %s", "muted" if muted else "no longer muted")
        self._panel.acknowledge()
