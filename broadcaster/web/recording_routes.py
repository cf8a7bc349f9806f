"""Everything about recordings over HTTP; it is loaded only with a recorder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from broadcaster.model.recording import RecorderStats
from broadcaster.model.stats import Capacity
from broadcaster.outputs.recording.retention import Limits
from broadcaster.ports import Clock
from broadcaster.ports.recording import ClipSaver, RecordingLibrary, RecordingReader
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.storage.secrets import SecretFile
from broadcaster.web.download_pacer import DownloadPacer, viewer_state
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.ranged_file import FileSender
from broadcaster.web.recording_access import RecordingAccess
from broadcaster.web.recording_clips import RecordingClips
from broadcaster.web.recording_films import RecordingFilms
from broadcaster.web.recording_shares import RecordingShares
from broadcaster.web.recording_status import RecordingStatus
from broadcaster.web.recordings import RecordingsApi
from broadcaster.web.thumbnails import MakeJpeg, Thumbnails
from broadcaster.web.viewer_auth import ViewerAuth


@dataclass(frozen=True, slots=True)
class Archive:
    """What the daemon has recorded; `viewers`: they may watch it, too. `make_jpeg` makes a thumbnail of a keyframe.

    `limits` returns the retention; `recorder` returns the recorder's status, and is None if there are only timelapses.
    """

    library: RecordingLibrary
    reader: RecordingReader
    clips: ClipSaver
    make_jpeg: MakeJpeg
    viewers: bool
    limits: Callable[[], Limits]
    recorder: Callable[[], RecorderStats] | None


class RecordingRoutes:
    """The request handlers for recordings, and what they share."""

    def __init__(
        self,
        archive: Archive,
        operator: OperatorAuth,
        viewer: ViewerAuth,
        link_key: SecretFile | None,
        viewers: Callable[[], int],
        capacity: Callable[[], Capacity],
        clock: Clock,
        log: RateLimitedLogger,
    ) -> None:
        """`viewers` returns how many sessions there are, for whom downloads make room."""
        library, reader = archive.library, archive.reader
        self._access = RecordingAccess(library, operator, viewer, clock, viewers=archive.viewers)
        sender = FileSender(DownloadPacer(lambda: viewer_state(viewers(), capacity())))
        thumbnails = Thumbnails(reader, archive.make_jpeg)
        self._handlers = (
            RecordingFilms(self._access, reader, sender, thumbnails),
            RecordingShares(self._access, library, reader, sender, link_key, clock, log),
            RecordingClips(self._access, archive.clips, log),
            RecordingsApi(self._access, sender, RecordingStatus(library, archive.limits, archive.recorder, clock), log),
        )

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to the handlers."""
        for handlers in self._handlers:
            handlers.add_routes(router)

    def revoke(self) -> None:
        """Make all access codes invalid, because links are revoked."""
        self._access.revoke()
