"""Statistics of the renditions, collected from the parts of the stream."""

from __future__ import annotations

from collections.abc import Mapping

from broadcaster.delivery.fanout import Fanout
from broadcaster.model.stats import RenditionStats
from broadcaster.model.stream import Quality
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.ports import VideoTraits
from broadcaster.stream.bitrate import BitrateControl
from broadcaster.stream.hub import Hub


def rendition_stats(
    traits: VideoTraits,
    hub: Hub,
    fanout: Fanout,
    media: MuxedStream | None,
    bitrates: Mapping[Quality, BitrateControl],
) -> dict[str, RenditionStats]:
    """Return the statistics of each rendition by its name."""

    def stats(quality: Quality) -> RenditionStats:
        small, is_full = hub.small, quality is Quality.FULL
        width, height = (traits.width, traits.height) if is_full else traits.small_size or (0, 0)
        running = is_full or small.is_running
        return RenditionStats(
            viewers=fanout.viewers_by_quality[quality] + (0 if media is None else media.viewers_by_quality[quality]),
            width=width,
            height=height,
            bitrate=round(fanout.feed(quality).rendition.meter.rate) if running else 0,
            bitrate_wanted=bitrates[quality].rate,
            running=running,
            obstacle="" if is_full else small.failure or (traits.no_small if traits.small_size is None else ""),
        )

    return {str(quality): stats(quality) for quality in Quality}
