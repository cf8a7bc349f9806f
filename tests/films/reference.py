"""What ffmpeg itself decodes from a file: thumbnails with their times, and sound from the beginning of the file."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from broadcaster.devices.opus import RATE
from tests.films.film import TIME_LIMIT, run_ffmpeg

WIDTH, HEIGHT = 48, 36
"""Size in pixels of a thumbnail, whatever the shape of the picture."""
EARLY = 0.1
"""Seconds by which sound may begin before the picture without moving the beginning of the loop."""
TAIL = 0.25
"""Seconds by which sound must outlast the picture to make the loop longer."""


@dataclass(frozen=True)
class Reference:
    """Times in seconds; thumbnails as (3, HEIGHT, WIDTH) in YUV; sound as (2, samples) from time 0 at 48 kHz.

    `aspect` is the width of the picture as shown, in relation to its height.
    """

    times: list[float]
    thumbnails: list[np.ndarray]
    aspect: float
    sound: np.ndarray | None
    sound_start: float

    @property
    def period(self) -> float:
        """Return the typical time between two pictures."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.04

    @property
    def start(self) -> float:
        """Return where a loop begins: with the picture, or with sound that begins well before it."""
        if not self.times:
            return self.sound_start
        early = self.sound is not None and self.sound_start < self.times[0] - EARLY
        return self.sound_start if early else self.times[0]

    @property
    def length(self) -> float:
        """Return how long a loop lasts: as long as the picture, or as sound that is longer."""
        picture = self.times[-1] + self.period if self.times else 0.0
        sound = self.sound.shape[1] / RATE if self.sound is not None else 0.0
        return (sound if sound > picture + TAIL else picture) - self.start


def decode(path: Path) -> Reference:
    """Decode a file with ffmpeg."""
    streams = _streams(path)
    times, thumbnails = _pictures(path) if "video" in streams else ([], [])
    sound, sound_start = _sound(path) if "audio" in streams else (None, 0.0)
    if sound is not None and not sound.size:
        sound = None
    return Reference(times, thumbnails, streams.get("video", 1.0), sound, sound_start)


def _streams(path: Path) -> dict[str, float]:
    """Return the kinds of streams that have a decoder; with pictures their aspect ratio before any rotation."""
    entries = "stream=codec_type,codec_name,width,height,sample_aspect_ratio:stream_disposition=attached_pic"
    command = ["ffprobe", "-loglevel", "error", "-show_entries", entries, "-of", "json", f"file:{path}"]
    done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT)
    found: dict[str, float] = {}
    for stream in json.loads(done.stdout or b"{}").get("streams", []):
        kind = stream.get("codec_type", "")
        if stream.get("disposition", {}).get("attached_pic") or stream.get("codec_name", "unknown") == "unknown":
            continue
        pixel = Fraction(stream.get("sample_aspect_ratio", "1:1").replace(":", "/").replace("0/1", "1/1"))
        found.setdefault(kind, float(stream.get("width", 1) * pixel / (stream.get("height") or 1)))
    return found


def _pictures(path: Path) -> tuple[list[float], list[np.ndarray]]:
    scaled = f"showinfo=checksum=0,scale={WIDTH}:{HEIGHT}:flags=area:out_range=tv,format=yuv444p"
    options = ["-an", "-sn", "-dn", "-vf", scaled, "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    data, messages = run_ffmpeg(["-i", f"file:{path}", *options])
    times = [float(time) for time in re.findall(r"\] n: *\d+ pts: *\S+ pts_time:(\S+)", messages)]
    thumbnails = np.frombuffer(data, np.uint8).reshape(-1, 3, HEIGHT, WIDTH).astype(np.int16)
    return times[: len(thumbnails)], list(thumbnails[: len(times)])


def _sound(path: Path) -> tuple[np.ndarray, float]:
    """Return stereo sound, with silence up to its first sample and in its gaps, and the time of its first sample."""
    filters = f"ashowinfo,aresample={RATE}:async=1:min_hard_comp=0.02:first_pts=0"
    options = ["-vn", "-sn", "-dn", "-af", filters, "-ac", "2", "-f", "s16le", "-"]
    data, messages = run_ffmpeg(["-i", f"file:{path}", *options])
    times = re.findall(r"pts_time:(\S+)", messages)
    return np.frombuffer(data, np.int16).reshape(-1, 2).T / np.float32(32768), float(times[0]) if times else 0.0
