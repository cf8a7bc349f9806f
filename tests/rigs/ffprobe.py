"""What ffprobe reads in a file: the judge of the muxer that is not ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from broadcaster.media.mp4 import Fragment

IS_INSTALLED = shutil.which("ffprobe") is not None
KINDS = ("video", "audio")


def probe(film: bytes) -> dict[str, Any]:
    """Return streams and packets. Raises `AssertionError` if ffprobe finds a fault."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_packets", "-of", "json", "-"]
    result = subprocess.run(command, input=film, capture_output=True, check=True, timeout=60)
    assert result.stderr == b"", result.stderr
    probed: dict[str, Any] = json.loads(result.stdout)
    return probed


def packets_read(probed: dict[str, Any], kind: str) -> list[tuple[int, int, bool]]:
    """Return time, size and whether it is a keyframe of each packet of a kind."""
    packets = [packet for packet in probed["packets"] if packet["codec_type"] == kind]
    return [(packet["pts"], int(packet["size"]), packet["flags"][0] == "K") for packet in packets]


def packets_written(parts: list[Fragment], kind: str) -> list[tuple[int, int, bool]]:
    """Return the same of what was muxed."""
    samples = [sample for part in parts for sample in (part.video if kind == "video" else part.audio)]
    return [(sample.time, len(sample.data), sample.keyframe) for sample in samples]
