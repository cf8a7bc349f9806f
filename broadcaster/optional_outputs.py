"""Outputs that only some settings need: nothing of them is loaded otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from broadcaster.components import Component, component
from broadcaster.ports import Clock, StreamControl
from broadcaster.settings import RecordSettings, Settings
from broadcaster.stream.hub import Hub
from broadcaster.web.server import WebServer

if TYPE_CHECKING:
    from broadcaster.outputs.recording.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Recordings:
    """The recorder, if `record.mode` is not off, and the components of all that is recorded.

    `set_retention` applies new limits while the daemon runs.
    """

    recorder: Recorder | None = None
    components: list[Component] = field(default_factory=list)
    set_retention: Callable[[RecordSettings], bool] = lambda record: True


def make_recordings(
    settings: Settings, state: Path, hub: Hub, stream: StreamControl, clock: Clock, server: WebServer
) -> Recordings:
    """Return all that is recorded."""
    record = settings.record
    if record.mode == "off" and not record.timelapse:
        return Recordings()
    from broadcaster.storage.recordings.clips import ClipSaver  # noqa: PLC0415
    from broadcaster.storage.recordings.reading import RecordingReader  # noqa: PLC0415
    from broadcaster.storage.recordings.store import open_store  # noqa: PLC0415
    from broadcaster.web.recording_routes import Archive  # noqa: PLC0415

    store = open_store(record, state, clock)
    reader = RecordingReader(store)
    recorder, components = None, [replace(component("recordings", store.start), close=store.close)]
    if record.mode != "off":
        from broadcaster.outputs.recording.recorder import Recorder  # noqa: PLC0415

        recorder = Recorder(hub, stream, store, clock, record)
        server.set_recorder(recorder)
        components = [Component("recorder", recorder.start, recorder.close)]  # which starts and closes the store, too
    status = None if recorder is None else recorder.stats
    clips = ClipSaver(store, reader)
    server.set_archive(Archive(store, reader, clips, _make_jpeg, record.viewers, lambda: store.limits, status))
    if record.timelapse:
        from broadcaster.outputs.recording.timelapse import Timelapse  # noqa: PLC0415

        timelapse = Timelapse(hub, stream, store, clock, record.timelapse)
        server.add_report("timelapse", timelapse.report)
        components.append(component("timelapse", timelapse.start, timelapse.close))
    return Recordings(recorder, components, store.set_retention)


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


def _make_jpeg(keyframe: bytes, width: int | None) -> bytes:
    """Return a keyframe as JPEG; what decodes it is loaded with the first one. Raises ValueError."""
    from broadcaster.devices.jpeg import jpeg_of  # noqa: PLC0415

    return jpeg_of(keyframe, width)
