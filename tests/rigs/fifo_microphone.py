"""A microphone without sound hardware: ALSA's `file` PCM over a FIFO, opened by arecord, fed by a thread of ours."""

from __future__ import annotations

import array
import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from broadcaster.devices.opus import RATE

BLOCK = RATE // 100
CONFIG = "asound.conf"
"""The configuration's name in its folder, for ALSA_CONFIG_PATH."""
_CONFIG = """
pcm.fifo-mono {{
    type file
    slave.pcm {{ type null }}
    file "/dev/null"
    infile "{fifo}"
    format "raw"
}}
# Offers two channels and no other number, as hardware does.
pcm.fifo-stereo {{
    type file
    slave.pcm {{
        type multi
        slaves.a {{ pcm {{ type null }} channels 2 }}
        bindings.0 {{ slave a channel 0 }}
        bindings.1 {{ slave a channel 1 }}
    }}
    file "/dev/null"
    infile "{fifo}"
    format "raw"
}}
"""


class FifoMicrophone:
    """Gives a loud tone at `speed` times the usual rate, in blocks of 10 ms on a clock of its own.

    Each time arecord opens it, it begins anew. `stall` holds it up, `end` closes the FIFO.
    """

    def __init__(self, folder: Path, *, channels: int = 1, speed: float = 1.0) -> None:
        self._fifo = folder / "microphone"
        os.mkfifo(self._fifo)
        self._config = folder / CONFIG
        self._config.write_text(_CONFIG.format(fifo=self._fifo), encoding="ascii")
        self._sound = _tone(channels)
        self._period = BLOCK / RATE / speed
        self._flowing, self._ending = threading.Event(), threading.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._feed, name="fifo-microphone")

    @property
    def environment(self) -> dict[str, str]:
        """What arecord must find in its environment."""
        return {"ALSA_CONFIG_PATH": str(self._config)}

    @contextlib.contextmanager
    def running(self) -> Iterator[FifoMicrophone]:
        """Fed while inside."""
        self._thread.start()
        try:
            yield self
        finally:
            self.end()

    def stall(self) -> None:
        """Give nothing more, and say nothing."""
        self._flowing.clear()

    def end(self) -> None:
        """Close the FIFO for good; idempotent."""
        self._ending.set()
        self._flowing.set()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _feed(self) -> None:
        while not self._ending.is_set():
            try:
                writer = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads
                time.sleep(0.002)
                continue
            os.set_blocking(writer, True)
            with contextlib.suppress(BrokenPipeError):
                self._give(writer)
            os.close(writer)

    def _give(self, writer: int) -> None:
        due = time.monotonic()
        while not self._ending.is_set():
            self._flowing.wait()
            due += self._period
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(writer, self._sound)


def _tone(channels: int) -> bytes:
    """10 ms that can be repeated without a seam: 500 Hz, a quarter of full scale, on the first channel."""
    wave = (round(8000 * math.sin(math.tau * 500 * index / RATE)) for index in range(BLOCK))
    return array.array("h", (sample if channel == 0 else 0 for sample in wave for channel in range(channels))).tobytes()
