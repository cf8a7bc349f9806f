"""Shares of recordings: `POST /api/recordings/shares` makes an address that plays a range of time without a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from broadcaster.auth.links import EARLIEST_CLOCK
from broadcaster.auth.shares import Share, read_share, sign_share
from broadcaster.errors import BroadcasterError
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.storage.secrets import SecretFile
from broadcaster.web.api import json_response, read_object
from broadcaster.web.ranged_file import FileSender
from broadcaster.web.recording_access import RecordingAccess
from broadcaster.web.recording_films import MAX_EXPORT, found, send_export
from broadcaster.web.recordings import send_recording
from broadcaster.web.time_range import number, required_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broadcaster.model.recording import Recording
    from broadcaster.ports.recording import RecordingLibrary, RecordingReader

MAX_HOURS = 366 * 24.0

_SAME_START = 1.5
"""Seconds: without the index, the time when a recording began is known from its name, which has whole seconds."""


class RecordingShares:
    """Handlers of shares, signed with the `key` of viewers' links; None if there is no state folder."""

    def __init__(
        self,
        access: RecordingAccess,
        library: RecordingLibrary,
        reader: RecordingReader,
        sender: FileSender,
        key: SecretFile | None,
        clock: Clock,
        log: RateLimitedLogger,
    ) -> None:
        self._access = access
        self._library = library
        self._reader = reader
        self._sender = sender
        self._key = key
        self._clock = clock
        self._log = log

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_post("/api/recordings/shares", self.make)
        router.add_get("/recordings/shared/{share:[A-Za-z0-9_-]+}.mp4", self.send)

    async def make(self, request: web.Request) -> web.Response:
        """Answer the operator with the address of a share."""
        library = self._access.to_change(request)
        body = await read_object(request)
        now, seconds = self._clock.unix(), round(number(body, "hours", 0.01, MAX_HOURS) * 3600)
        if now < EARLIEST_CLOCK:
            raise web.HTTPConflict(text="This machine's clock was never set, so a share would not end in time.\n")
        recording = self._access.find(library, str(body["name"])) if "name" in body else None
        if recording is not None and not recording.open:
            share = Share(int(now), seconds, round(recording.started * 1000), number=recording.number)
        else:
            start, end = _range(body, recording, now)
            await found(self._reader.export(start, end))  # so that whoever gets it does not get an error
            share = Share(int(now), seconds, round(start * 1000), round(end * 1000))
        text = sign_share(share, self._secret())
        self._log.info("record", f"{self._access.changer(request)} made a share that ends in {seconds / 3600:.3g} h")
        return json_response({"path": f"recordings/shared/{text}.mp4", "until": share.created + seconds})

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send what is shared, to be saved if `download` is there, else to be played."""
        share = read_share(request.match_info["share"], self._secret())
        if share is None:
            raise web.HTTPNotFound(text="This address is wrong, or was revoked.\n")
        if share.remaining(self._clock.unix()) <= 0:
            raise web.HTTPGone(text="This share has ended.\n")
        save = "download" in request.query
        if not share.number:
            export = await found(self._reader.export(share.start / 1000, share.end / 1000))
            return await send_export(self._sender, request, export, save=save)
        for recording in self._library.recordings:
            if recording.number == share.number and abs(recording.started - share.start / 1000) < _SAME_START:
                return await send_recording(self._sender, request, self._library, recording, save=save)
        raise web.HTTPNotFound(text="The recording was deleted.\n")

    def _secret(self) -> str:
        """Return the key, which is a small file. Raises `HTTPConflict`."""
        try:
            if self._key is not None:
                return self._key.read_or_create()
        except BroadcasterError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error
        raise web.HTTPConflict(text="Shares need a state folder (stream.state_dir).\n")


def _range(body: Mapping[str, object], recording: Recording | None, now: float) -> tuple[float, float]:
    """Return what to share of an open recording, or else the range in the body: nothing that is recorded later."""
    if recording is not None:
        return recording.started, now
    wanted = required_range(body, MAX_EXPORT)
    return wanted.start, min(wanted.end, now)
