"""Outputs that only some settings need: nothing of them is loaded otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from broadcaster.components import Component, component
from broadcaster.ports import Clock, StreamControl
from broadcaster.settings import Settings
from broadcaster.stream.hub import Hub
from broadcaster.web.server import WebServer

if TYPE_CHECKING:
    from broadcaster.outputs.recording.recorder import Recorder


def make_recorder(
    settings: Settings, state: Path, hub: Hub, stream: StreamControl, clock: Clock, server: WebServer
) -> Recorder | None:
    """Return the recorder, whose component is the caller's business; None if `record.mode` is off."""
    if settings.record.mode == "off":
        return None
    from broadcaster.outputs.recording.recorder import Recorder  # noqa: PLC0415
    from broadcaster.storage.recordings.store import open_store  # noqa: PLC0415

    store = open_store(settings.record, state, clock)
    recorder = Recorder(hub, stream, store, clock, settings.record)
    server.set_recorder(recorder, store)
    return recorder


def make_stills(
    settings: Settings, hub: Hub, stream: StreamControl, clock: Clock, server: WebServer
) -> list[Component]:
    """Return the component of stills; none if `web.stills` is false."""
    if not settings.web.stills:
        return []
    from broadcaster.devices.jpeg import jpeg_of  # noqa: PLC0415
    from broadcaster.outputs.stills import Stills  # noqa: PLC0415

    stills = Stills(hub, stream, clock, jpeg_of)
    server.set_stills(stills)
    return [component("stills", stills.start, stills.close)]
