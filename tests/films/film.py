"""One media file of the corpus: how ffmpeg makes it, and the expected result of playing it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FFMPEG = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-y"]
TIME_LIMIT = 120
"""Seconds that one run of ffmpeg may take."""


def pattern(size: str = "320x180", rate: str = "25", seconds: float = 2) -> str:
    """Return a filter graph: ffmpeg's test picture above eight bars that show the frame number in binary."""
    width, height = map(int, size.split("x"))
    source = f"r={rate}:d={seconds}"
    number = f"color=s=8x1:{source},format=gray,geq=lum='if(bitand(N,pow(2,X)),220,30)'"
    return (
        f"testsrc2=s={size}:{source}[above];{number},scale={width}:{max(2, height // 3)}:flags=neighbor[bars];"
        "[above][bars]overlay=0:H-h,format=yuv420p"
    )


def sweep(channels: str = "stereo", rate: int = 48000, seconds: float = 2) -> str:
    """Return a filter graph: a tone with a rising frequency in each channel, which matches at one offset only."""
    count = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8}[channels]
    tones = "|".join(f"0.3*sin(2*PI*({300 + 250 * channel}*t+{200 - 10 * channel}*t*t))" for channel in range(count))
    return f"aevalsrc='{tones}':c={channels}:s={rate}:d={seconds}"


PICTURE = pattern()
TONE = sweep()


@dataclass(frozen=True, slots=True)
class Film:
    """A file called `name`, made by ffmpeg with the options `output` from `picture` and `audio` (filter graphs).

    The films in `before` are made first, in the same folder; finally, `change` rewrites the file. `refused` is part of
    the expected error message if the video must be refused, else None. `noise` is the mean difference of luma or chroma
    that a coarse codec may cause, `missing` the number of pictures that only ffmpeg shows, and `min_correlation` is for
    the audio.
    """

    name: str
    output: str = "-c copy"
    picture: str | None = PICTURE
    audio: str | None = TONE
    before: tuple[Film, ...] = ()
    change: Callable[[Path], None] | None = None
    refused: str | None = None
    noise: float = 8.0
    missing: int = 0
    min_correlation: float = 0.85
    box: tuple[int, int] = (640, 360)

    def make(self, folder: Path) -> Path:
        """Make the file. Raises `RuntimeError` with ffmpeg's last messages if it fails."""
        for earlier in self.before:
            earlier.make(folder)
        path = folder / self.name
        if self.output:
            inputs = [part for graph in (self.picture, self.audio) if graph for part in ("-f", "lavfi", "-i", graph)]
            run_ffmpeg([*inputs, *shlex.split(self.output), f"./{self.name}"], folder)
        if self.change:
            self.change(path)
        return path


def made_from(name: str, output: str, *before: Film, **expected: object) -> Film:
    """Return a film whose inputs are the films `before`, named in `output`."""
    return Film(name, output, None, None, before, **expected)  # type: ignore[arg-type]


def silent(name: str, output: str, picture: str = PICTURE, **expected: object) -> Film:
    """Return a film without audio."""
    return Film(name, output, picture, None, **expected)  # type: ignore[arg-type]


def run_ffmpeg(arguments: list[str], folder: Path | None = None) -> tuple[bytes, str]:
    """Run ffmpeg; return its output and its messages. Raises `RuntimeError` if it fails."""
    done = subprocess.run([*FFMPEG, *arguments], cwd=folder, capture_output=True, timeout=TIME_LIMIT)
    messages = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise RuntimeError(f"ffmpeg {shlex.join(arguments)}:\n" + "\n".join(messages.splitlines()[-8:]))
    return done.stdout, messages
