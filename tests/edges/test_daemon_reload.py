"""SIGHUP: reloads the settings file; without one, stops the daemon."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import sys
import termios
import urllib.error
import urllib.request

from tests.rigs.daemon import ROOT, Daemon
from tests.rigs.light import LightViewer

SMALL = {"video__width": 320, "video__height": 180, "video__bitrate": 200_000}


async def status_as(daemon: Daemon, host: str) -> int:
    """Return the HTTP status of the page for a `Host` header."""

    def get() -> int:
        request = urllib.request.Request(daemon.url, headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    return await asyncio.to_thread(get)


async def wait_for_log(daemon: Daemon, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in daemon.log:
            await asyncio.sleep(0.02)


async def test_sighup_without_a_settings_file_stops_the_daemon():
    async with Daemon(**SMALL) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        assert await daemon.stop(signal.SIGHUP) == 0
        assert await viewer.wait_closed() == 1001
        assert "Traceback" not in daemon.log


async def test_sighup_reloads_the_settings_file(tmp_path):
    file = tmp_path / "broadcaster.toml"
    file.write_text('[web]\nhosts = ["garden.example"]\n')
    daemon = Daemon("--settings", str(file), **SMALL)
    daemon.in_new_session = True  # without a controlling terminal, as a service
    async with daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        assert await status_as(daemon, "garden.example") == 200
        assert await status_as(daemon, "garage.example") == 421
        file.write_text('[web]\nhosts = ["garage.example"]\nmax_viewers = 3\nwhep = false\n[log]\nlevel = "debug"\n')
        daemon.signal(signal.SIGHUP)
        await wait_for_log(daemon, "SIGHUP: settings reloaded; changed: web.hosts, web.max_viewers, log.level")
        await wait_for_log(daemon, "these settings need a restart: web.whep")
        assert await status_as(daemon, "garage.example") == 200
        assert await status_as(daemon, "garden.example") == 421
        file.write_text('[web]\nhosts = "nonsense"\nport = -1\n')
        daemon.signal(signal.SIGHUP)
        await wait_for_log(daemon, "SIGHUP: invalid settings, keeping the current ones: web.hosts")
        assert await status_as(daemon, "garage.example") == 200
        assert viewer.close_code is None
        assert viewer.gaps == 0
        assert await daemon.stop() == 0


async def test_sighup_stays_ignored_under_nohup():
    daemon = Daemon(**SMALL)
    daemon.script = "trap '' HUP"
    async with daemon:
        daemon.signal(signal.SIGHUP)
        await asyncio.sleep(0.3)
        assert (await daemon.status())["stream"]["state"] in ("starting", "live")
        assert await daemon.stop() == 0


async def test_closing_the_terminal_stops_the_daemon_despite_a_settings_file(tmp_path):
    file = tmp_path / "broadcaster.toml"
    file.write_text('[video]\nsource = "test"\n[web]\nport = 0\nhost = "127.0.0.1"\n')
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broadcaster", "run", "--settings", file, "--set", f"stream.state_dir={tmp_path}"),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=ROOT,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    output = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(output), os.fdopen(master, "rb", 0)
    )
    try:
        await asyncio.wait_for(output.readuntil(b"  Control"), 20)  # of the start banner
        transport.close()  # which closes the terminal
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        transport.close()
        if process.returncode is None:
            process.kill()
            await process.wait()
