"""A film as an HLS playlist (RFC 8216). Pure.

Each segment is a range of a file's fragments. Players that take `EXT-X-DISCONTINUITY` literally start their decoders
again there, and ffmpeg does not know it for MP4. So the times in the segments are changed to follow each other, and
there is a discontinuity only where the recording has one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from broadcaster.media.timestamps import VIDEO_RATE
from broadcaster.outputs.recording.film import FilmPart, continues, pause_between

SEGMENT = 4.0
"""Seconds that a segment has at least: with shorter ones, the playlist of a day is long to read; with longer ones, a
player has to load more before it shows the picture that was sought."""


def playlist(parts: Sequence[FilmPart], query: str = "") -> str:
    """Return a playlist whose addresses are relative to the folder of the files; `query` is appended to each."""
    suffix = f"?{query}" if query else ""
    lines: list[str] = []
    begins, longest = 0.0, 1.0
    before: FilmPart | None = None
    for part in parts:
        begins += 0.0 if before is None else pause_between(before, part)
        lines += _beginning(before, part, suffix)
        for span in part.table.spans(part.first, part.last, SEGMENT):
            shift = round((begins - part.span.time) * VIDEO_RATE)
            lines.append(f"#EXTINF:{span.duration:.5f},")
            lines.append(f"{quote(part.recording.name)}/{span.offset}_{span.size}_{shift}.mp4{suffix}")
            longest = max(longest, span.duration)
        begins += part.span.duration
        before = part
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{math.ceil(longest)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    return "\n".join([*head, *lines, "#EXT-X-ENDLIST", ""])


def _beginning(before: FilmPart | None, part: FilmPart, suffix: str) -> list[str]:
    """Return the lines in front of the first segment of a part."""
    init = part.table.init_segment()
    has_same_format = before is not None and before.table.init_segment() == init
    lines = []
    if before is not None and not (has_same_format and continues(before, part)):
        lines.append("#EXT-X-DISCONTINUITY")
    if not has_same_format:
        lines.append(f'#EXT-X-MAP:URI="{quote(part.recording.name)}/init.mp4{suffix}"')
    started = datetime.fromtimestamp(part.start, UTC)
    return [*lines, f"#EXT-X-PROGRAM-DATE-TIME:{started:%Y-%m-%dT%H:%M:%S}.{started.microsecond // 1000:03}Z"]
