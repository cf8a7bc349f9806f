"""Janus, the C media server, where it is installed (Debian's package `janus`), with one plugin and the HTTP API."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from tests.rigs.daemon import free_port

_START_LIMIT = 10.0
_LIBRARIES = ("/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus", "/usr/lib/janus")
_HTTP = "libjanus_http.so"


def missing() -> str:
    """Return why Janus cannot run here; empty if it can."""
    return "" if shutil.which("janus") and _libraries() else "needs Debian's package janus"


def _libraries() -> Path | None:
    return next((Path(path) for path in _LIBRARIES if Path(path).is_dir()), None)


class Janus:
    """Runs Janus with one plugin and its configuration, as an async context manager; it can be killed and restarted.

    `general` and `nat` are further settings; the configuration file of the plugin has the text `config`.
    """

    def __init__(self, plugin: str, config: str, *, general: str = "", nat: str = "") -> None:
        self._plugin, self._config, self._general, self._nat = plugin, config, general, nat
        self._api = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="janus-")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The URL of its HTTP API."""
        return f"http://127.0.0.1:{self._api}/janus"

    @property
    def cpu(self) -> float:
        """User and kernel time of the process in seconds."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime (proc(5))

    async def __aenter__(self) -> Janus:
        self._configure(Path(self._folder.name))
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()
        self._folder.cleanup()

    async def start(self) -> None:
        """Start the process, and wait until it answers."""
        nothing = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            "janus", "--configs-folder", self._folder.name, "--disable-colors", stdout=nothing, stderr=nothing
        )
        async with asyncio.timeout(_START_LIMIT):
            while not await self._answers():
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill the process, so that it says no farewell."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

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
        others = {
            kind: ",".join(path.name for path in (libraries / kind).glob("*.so") if path.name != wanted)
            for kind, wanted in (("plugins", f"libjanus_{self._plugin}.so"), ("transports", _HTTP))
        }
        (folder / "janus.jcfg").write_text(
            f'general: {{ configs_folder = "{folder}", plugins_folder = "{libraries}/plugins",'
            f' transports_folder = "{libraries}/transports", debug_level = 2, {self._general} }}\n'
            f"nat: {{ {self._nat} }}\n"
            f'plugins: {{ disable = "{others["plugins"]}" }}\ntransports: {{ disable = "{others["transports"]}" }}\n'
        )
        (folder / "janus.transport.http.jcfg").write_text(
            f'general: {{ json = "compact", base_path = "/janus", http = true, port = {self._api}, ip = "127.0.0.1",'
            " https = false }\nadmin: { admin_http = false }\n"
        )
        (folder / f"janus.plugin.{self._plugin}.jcfg").write_text(self._config)
