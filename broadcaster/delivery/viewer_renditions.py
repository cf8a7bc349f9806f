"""The renditions as one viewer's send queue sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broadcaster.model.stream import Quality
from broadcaster.ports import MediaSender

if TYPE_CHECKING:
    from broadcaster.delivery.fanout import Fanout


class ViewerRenditions:
    """The renditions as one viewer's send queue sees them (`rendition_choice.Renditions`)."""

    def __init__(self, fanout: Fanout, viewer: str, sender: MediaSender) -> None:
        self._fanout = fanout
        self._viewer = viewer
        self._sender = sender

    @property
    def has_small(self) -> bool:
        """Whether there is a small rendition."""
        return self._fanout.small_is_available

    @property
    def small_bitrate(self) -> float:
        """Bit rate of the small rendition in bits per second."""
        return self._fanout.feed(Quality.SMALL).rendition.bitrate

    @property
    def full_bitrate_goal(self) -> float:
        """See `Fanout.full_bitrate_goal`."""
        return self._fanout.full_bitrate_goal(self._sender)

    def rate(self, quality: Quality) -> float:
        """Return the measured bit rate of a rendition."""
        return self._fanout.feed(quality).rendition.meter.rate

    def need_keyframe(self, quality: Quality) -> None:
        """Force a keyframe of a rendition for this viewer."""
        self._fanout.need_keyframe(self._viewer, quality)

    def need_probe(self, quality: Quality) -> None:
        """Force a keyframe of a rendition for a bandwidth probe."""
        self._fanout.need_probe(quality)

    def chosen(self, quality: Quality) -> None:
        """The viewer gets this rendition from now on."""
        self._fanout.quality_chosen(self._viewer, quality)
        self._sender.quality_chosen(quality)
