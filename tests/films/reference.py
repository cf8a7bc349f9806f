"""ffmpeg's decoding of a file: thumbnails with their times, and audio from the beginning of the file."""

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
"""Seconds by which audio may begin before the video without moving the beginning of the loop."""
TAIL = 0.25
"""Seconds by which audio must be longer than the video to make the loop longer."""


@dataclass(frozen=True)
class Reference:
    """Times in seconds; thumbnails as (3, HEIGHT, WIDTH) in YUV; audio as (2, samples) from time 0 at 48 kHz.

    `aspect` is the width of the picture as shown, divided by its height.
    """

    times: list[float]
    thumbnails: list[np.ndarray]
    aspect: float
    audio: np.ndarray | None
    audio_start: float

    @property
    def period(self) -> float:
        """Return the typical time between two pictures."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.04

    @property
    def start(self) -> float:
        """Return where a loop begins: with the video, or with audio that begins well before it."""
        if not self.times:
            return self.audio_start
        early = self.audio is not None and self.audio_start < self.times[0] - EARLY
        return self.audio_start if early else self.times[0]

    @property
    def length(self) -> float:
        """Return the duration of a loop: that of the video, or of audio that is longer."""
        picture = self.times[-1] + self.period if self.times else 0.0
        audio = self.audio.shape[1] / RATE if self.audio is not None else 0.0
        return (audio if audio > picture + TAIL else picture) - self.start


def decode(path: Path) -> Reference:
    """Decode a file with ffmpeg."""
    streams = _streams(path)
    times, thumbnails = _pictures(path) if "video" in streams else ([], [])
    audio, audio_start = _audio(path) if "audio" in streams else (None, 0.0)
    if audio is not None and not audio.size:
        audio = None
    return Reference(times, thumbnails, streams.get("video", 1.0), audio, audio_start)


def _streams(path: Path) -> dict[str, float]:
    """Return the kinds of streams that have a decoder, with the aspect ratio before rotation (of video)."""
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


def _audio(path: Path) -> tuple[np.ndarray, float]:
    """Return stereo audio, with silence before its first sample and in its gaps, and the time of its first sample."""
    filters = f"ashowinfo,aresample={RATE}:async=1:min_hard_comp=0.02:first_pts=0"
    options = ["-vn", "-sn", "-dn", "-af", filters, "-ac", "2", "-f", "s16le", "-"]
    data, messages = run_ffmpeg(["-i", f"file:{path}", *options])
    times = re.findall(r"pts_time:(\S+)", messages)
    return np.frombuffer(data, np.int16).reshape(-1, 2).T / np.float32(32768), float(times[0]) if times else 0.0
