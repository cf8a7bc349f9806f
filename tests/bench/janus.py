"""Janus, the C media server, for comparison where it is installed (Debian's package `janus`).

Its streaming plugin gets the synthetic video as RTP over loopback, and sends it to the yardstick's viewers.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import struct
import tempfile
from pathlib import Path

from tests.bench.synthetic_source import IDR, PARAMETER_SETS, SLICE, Shape
from tests.rigs.daemon import free_port

_START_LIMIT = 10.0
_KEYFRAME_SECONDS = 2
_VIDEO_RATE = 90_000
_STAP_A = 24
"""NAL unit type of an aggregation packet (RFC 6184 §5.7.1)."""
_LIBRARIES = ("/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus", "/usr/lib/janus")
_STREAMING, _HTTP = "libjanus_streaming.so", "libjanus_http.so"
_STREAM = """bench: {
  type = "rtp"
  id = 1
  media = ( { type = "video", mid = "v", label = "v", port = %d, iface = "127.0.0.1", pt = 96, codec = "h264",
    fmtp = "profile-level-id=42e01f;packetization-mode=1" } )
}
"""


def is_installed() -> bool:
    """Return whether Janus can be measured."""
    return shutil.which("janus") is not None and _libraries() is not None


def _libraries() -> Path | None:
    return next((Path(path) for path in _LIBRARIES if Path(path).is_dir()), None)


class Janus:
    """Runs Janus with one stream, as an async context manager; `event_loops` 0 is its default, a thread per viewer."""

    def __init__(self, shape: Shape, event_loops: int) -> None:
        self._shape = shape
        self._event_loops = event_loops
        self._api, self._rtp = free_port(), free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="janus-bench-")
        self._process: asyncio.subprocess.Process
        self._source: asyncio.Task[None]

    @property
    def url(self) -> str:
        """The URL of its HTTP API."""
        return f"http://127.0.0.1:{self._api}/janus"

    @property
    def cpu(self) -> float:
        """User and kernel time of the process in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime (proc(5))

    async def __aenter__(self) -> Janus:
        self._configure(Path(self._folder.name))
        nothing = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            "janus", "--configs-folder", self._folder.name, "--disable-colors", stdout=nothing, stderr=nothing
        )
        async with asyncio.timeout(_START_LIMIT):
            while not await self._answers():
                await asyncio.sleep(0.05)
        self._source = asyncio.create_task(_send_rtp(self._shape, self._rtp))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._source.cancel()
        self._process.terminate()
        await self._process.wait()
        self._folder.cleanup()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._api)
        except OSError:
            return False
        writer.close()
        return True

    def _configure(self, folder: Path) -> None:
        libraries = _libraries()
        assert libraries is not None
        loops = f"event_loops = {self._event_loops}" if self._event_loops else ""
        others = {
            kind: ",".join(path.name for path in (libraries / kind).glob("*.so") if path.name != wanted)
            for kind, wanted in (("plugins", _STREAMING), ("transports", _HTTP))
        }
        (folder / "janus.jcfg").write_text(
            f'general: {{ configs_folder = "{folder}", plugins_folder = "{libraries}/plugins",'
            f' transports_folder = "{libraries}/transports", debug_level = 2, {loops} }}\n'
            f'plugins: {{ disable = "{others["plugins"]}" }}\ntransports: {{ disable = "{others["transports"]}" }}\n'
        )
        (folder / "janus.transport.http.jcfg").write_text(
            f'general: {{ json = "compact", base_path = "/janus", http = true, port = {self._api}, ip = "127.0.0.1",'
            " https = false }\nadmin: { admin_http = false }\n"
        )
        (folder / "janus.plugin.streaming.jcfg").write_text(_STREAM % self._rtp)


async def _send_rtp(shape: Shape, port: int) -> None:
    """Send the synthetic video until cancelled."""
    loop = asyncio.get_running_loop()
    begin, sequence = loop.time(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
        rtp.connect(("127.0.0.1", port))
        for number in itertools.count():
            await asyncio.sleep(max(0.0, begin + number / shape.fps - loop.time()))
            payloads = _payloads(shape, keyframe=number % (_KEYFRAME_SECONDS * shape.fps) == 0)
            for index, payload in enumerate(payloads):
                marker = 0x80 if index == len(payloads) - 1 else 0
                timestamp = number * _VIDEO_RATE // shape.fps & 0xFFFFFFFF
                rtp.send(struct.pack("!BBHLL", 0x80, 96 | marker, sequence & 0xFFFF, timestamp, 1) + payload)
                sequence += 1


def _payloads(shape: Shape, *, keyframe: bool) -> list[bytes]:
    nal = bytes([IDR if keyframe else SLICE]) + bytes([1]) * (shape.size - 1)
    sets = b"".join(struct.pack("!H", len(data)) + data for data in PARAMETER_SETS)
    return ([bytes([_STAP_A]) + sets] if keyframe else []) + [nal] * shape.packets
