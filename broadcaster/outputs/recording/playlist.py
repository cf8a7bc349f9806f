"""A film as an HLS playlist (RFC 8216) of byte ranges in the files. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from broadcaster.outputs.recording.film import FilmPart

SEGMENT = 4.0
"""Seconds that a segment has at least: with shorter ones, the playlist of a day is long to read; with longer ones, a
player has to load more before it shows the picture that was sought."""


def playlist(parts: Sequence[FilmPart], query: str = "") -> str:
    """Return a playlist whose addresses are relative to the folder of the files; `query` is appended to each."""
    suffix = f"?{query}" if query else ""
    body = [line for number, part in enumerate(parts) for line in _part(part, suffix, first=not number)]
    longest = max((float(line[8:-1]) for line in body if line.startswith("#EXTINF:")), default=0.0)
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(longest))}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    return "\n".join([*head, *body, "#EXT-X-ENDLIST", ""])


def _part(part: FilmPart, suffix: str, *, first: bool) -> Iterator[str]:
    name = quote(part.recording.name)
    if not first:
        yield "#EXT-X-DISCONTINUITY"
    yield f'#EXT-X-MAP:URI="{name}/init.mp4{suffix}"'
    started = datetime.fromtimestamp(part.start, UTC)
    yield f"#EXT-X-PROGRAM-DATE-TIME:{started:%Y-%m-%dT%H:%M:%S}.{started.microsecond // 1000:03}Z"
    for span in part.table.spans(part.first, part.last, SEGMENT):
        yield f"#EXTINF:{span.duration:.5f},"
        yield f"#EXT-X-BYTERANGE:{span.size}@{span.offset}"
        yield f"{name}{suffix}"
