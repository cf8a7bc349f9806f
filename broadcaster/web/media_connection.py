"""One viewer's connection to `/media`, which sends the muxed stream."""

from __future__ import annotations

from typing import Protocol

from aiohttp import WSMessage, WSMsgType

from broadcaster.auth.rate_limits import BAD_MESSAGE_COST, SlidingWindow, networks
from broadcaster.errors import BadMessage
from broadcaster.model.stats import MediaStats
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.outputs.viewer import MuxedViewer
from broadcaster.ports import Clock
from broadcaster.signaling.media import Ack, parse_media_message
from broadcaster.signaling.protocol import CloseCode
from broadcaster.web.websocket import WebSocket


class MediaListener(Protocol):
    """The viewer to which a connection belongs."""

    def quality_changed(self, quality: Quality) -> None:
        """The viewer is about to get another rendition."""


class MediaConnection:
    """One viewer's connection to `/media` (`viewer.Outlet`).

    `is_writable` is whether everything that was written has been passed on to the kernel.
    """

    def __init__(self, socket: WebSocket, stream: MuxedStream, clock: Clock) -> None:
        self.is_writable = True
        self.network = networks(socket.address)[0]
        self.last_activity = clock.monotonic()
        self._socket = socket
        self._stream = stream
        self._clock = clock
        self._budget = SlidingWindow()
        self._muxed: MuxedViewer | None = None
        self._listener: MediaListener | None = None

    def start(self, viewer: str, listener: MediaListener, preference: QualityPreference, last: Quality) -> None:
        """Send the stream to this viewer, beginning with the rendition that it chose, or else got last."""
        self._listener = listener
        self._socket.carry_media(self._drained, self._receive_text)
        self._muxed = self._stream.subscribe(viewer, self, preference, last)

    def close(self, code: CloseCode) -> None:
        """Send nothing more, and close the WebSocket; idempotent."""
        muxed, self._muxed, self._listener = self._muxed, None, None  # they refer to each other
        if muxed is not None:
            self._stream.unsubscribe(muxed)
        self.is_writable = False
        self._socket.close(code)

    def request_keyframe(self) -> None:
        """Request a keyframe, because the viewer cannot decode the video."""
        if self._muxed is not None:
            self._muxed.request_keyframe()

    def prefer(self, preference: QualityPreference) -> None:
        """Take the viewer's choice of the rendition."""
        if self._muxed is not None:
            self._muxed.prefer(preference)

    def stats(self) -> MediaStats:
        """Return statistics for the operator."""
        return MediaStats() if self._muxed is None else self._muxed.stats()

    def receive(self, message: WSMessage) -> None:
        """Process one frame other than the end and short texts."""
        if message.type is WSMsgType.BINARY:
            self.close(CloseCode.UNSUPPORTED_DATA)
        elif message.type is WSMsgType.TEXT:
            self._receive_text(message.data)
        else:
            self._spend(1)

    def _receive_text(self, text: str | bytes) -> None:
        """Process a text message; only an acknowledgement of something new is free, however often it comes."""
        self.last_activity = self._clock.monotonic()
        try:
            message = parse_media_message(text)
        except BadMessage:
            message = None
        is_news = isinstance(message, Ack) and self._muxed is not None and self._muxed.ack(message.count)
        if not is_news:
            self._spend(BAD_MESSAGE_COST)

    def _spend(self, cost: int) -> None:
        if not self._budget.spend(self._clock.monotonic(), cost):
            self.close(CloseCode.TOO_MANY)

    def write(self, data: bytes) -> None:
        """Write complete WebSocket frames."""
        self.is_writable = self._socket.write(data)

    def quality_chosen(self, quality: Quality) -> None:
        """The viewer is about to get this rendition."""
        if self._listener is not None:
            self._listener.quality_changed(quality)

    def timed_out(self) -> None:
        """Close the connection, because the viewer acknowledges nothing."""
        self.close(CloseCode.HEARTBEAT_MISSED)

    def sending_failed(self) -> None:
        """Close the connection after an unexpected exception."""
        self.close(CloseCode.RESTART)

    def _drained(self) -> None:
        self.is_writable = not self._socket.is_closing
        if self._muxed is not None:
            self._muxed.flush()
