"""A microphone without hardware: ALSA's `file` PCM reads a FIFO, which a thread feeds; arecord opens it."""

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
"""File name of the ALSA configuration, for ALSA_CONFIG_PATH."""
_CONFIG = """
pcm.fifo-mono {{
    type file
    slave.pcm {{ type null }}
    file "/dev/null"
    infile "{fifo}"
    format "raw"
}}
# Offers exactly two channels, as hardware does.
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
    """Delivers a loud tone at `speed` times the nominal rate, in blocks of 10 ms (`block`) on a clock of its own.

    It restarts each time arecord opens it. `stall` stops the samples, `end` closes the FIFO.
    """

    def __init__(self, folder: Path, *, channels: int = 1, speed: float = 1.0) -> None:
        self._fifo = folder / "microphone"
        os.mkfifo(self._fifo)
        self._config = folder / CONFIG
        self._config.write_text(_CONFIG.format(fifo=self._fifo), encoding="ascii")
        self.block = _tone(channels)
        self._period = BLOCK / RATE / speed
        self._running, self._ending = threading.Event(), threading.Event()
        self._running.set()
        self._thread = threading.Thread(target=self._feed, name="fifo-microphone")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables for arecord."""
        return {"ALSA_CONFIG_PATH": str(self._config)}

    @contextlib.contextmanager
    def running(self) -> Iterator[FifoMicrophone]:
        """Feed the FIFO inside the block."""
        self._thread.start()
        try:
            yield self
        finally:
            self.end()

    def stall(self) -> None:
        """Stop delivering samples without closing the FIFO."""
        self._running.clear()

    def end(self) -> None:
        """Close the FIFO permanently; idempotent."""
        self._ending.set()
        self._running.set()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _feed(self) -> None:
        while not self._ending.is_set():
            try:
                writer = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # no reader
                time.sleep(0.002)
                continue
            os.set_blocking(writer, True)
            with contextlib.suppress(BrokenPipeError):
                self._write_blocks(writer)
            os.close(writer)

    def _write_blocks(self, writer: int) -> None:
        due = time.monotonic()
        while not self._ending.is_set():
            self._running.wait()
            due += self._period
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(writer, self.block)


def _tone(channels: int) -> bytes:
    """Return 10 ms that repeat seamlessly: 500 Hz, a quarter of full scale, on the first channel only."""
    wave = (round(8000 * math.sin(math.tau * 500 * index / RATE)) for index in range(BLOCK))
    return array.array("h", (sample if channel == 0 else 0 for sample in wave for channel in range(channels))).tobytes()
