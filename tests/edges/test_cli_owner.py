"""`broadcaster live`, `status` and `viewers` with a running daemon."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.rigs.certificates import make_pair
from tests.rigs.daemon import START_LIMIT, Daemon, free_port

TOKEN = "orchard-gravel-topaz-nine"


async def command(*words: str) -> tuple[int | None, str, str]:
    """Run `broadcaster` with these arguments; return exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "broadcaster", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def test_start_query_and_stop(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    port = free_port()
    file.write_text(f'[web]\nhost = "127.0.0.1"\nport = {port}\n')
    async with Daemon("--settings", str(file), live=False, port=port):
        assert (await command("status", "--settings", str(file)))[1].startswith("  State    offline for ")
        assert await command("live", "on", "--settings", str(file)) == (0, "live\n", "")
        code, out, err = await command("status", "--json", "--settings", str(file))
        assert (code, err, json.loads(out)["stream"]["state"]) == (0, "", "live")
        assert await command("viewers", "--settings", str(file)) == (0, "No viewers.\n", "")
        assert (await command("viewers", "--json", "--settings", str(file)))[1] == "[]\n"
        assert await command("links", "--settings", str(file)) == (
            0,
            "Viewers need no link (web.links is false).\n",
            "",
        )
        assert await command("live", "off", "--settings", str(file)) == (0, "offline\n", "")
        await sign_in((await command("owner", "--settings", str(file)))[1], port)


async def sign_in(printed: str, port: int) -> None:
    """The link that `broadcaster owner` prints signs in once."""
    url, _, code = printed.strip().partition("#t=")
    assert url == f"http://127.0.0.1:{port}/owner"
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        elsewhere = {"X-Forwarded-For": "192.0.2.1"}
        for status in (200, 401):
            async with client.post("/api/owner/session", json={"token": code}, headers=elsewhere) as response:
                assert response.status == status
        async with client.get("/api/owner/browsers", headers=elsewhere) as response:
            assert len((await response.json())["browsers"]) == 1


async def test_commands_use_tls_and_the_operator_token_of_the_settings(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    file, port = tmp_path / "settings.toml", free_port()
    file.write_text(
        f'[web]\nhost = "127.0.0.1"\nport = {port}\noperator_token = "{TOKEN}"\nviewer_token = "{TOKEN}-viewer"\n'
        f'certificate = "{pair.certificate}"\nkey = "{pair.key}"\n'
    )
    run = [sys.executable, "-m", "broadcaster", "run", "--settings", str(file), "--set", f"stream.state_dir={tmp_path}"]
    sources = ["--set", "video.source=test", "--set", "audio.source=none"]
    with (tmp_path / "log").open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(*run, *sources, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_LIMIT):
            while (await command("status", "--settings", str(file)))[0] != 0:
                assert daemon.returncode is None
        assert await command("live", "on", "--settings", str(file)) == (0, "live\n", "")
        assert "  Source   test" in (await command("status", "--settings", str(file)))[1]
        without_token = ["--set", "web.operator_token=", "--settings", str(file)]
        assert "  State    live\n" in (await command("status", *without_token))[1]
        code, _, err = await command("live", "off", *without_token)
        assert code == 1
        assert "This needs web.operator_token" in err
    finally:
        daemon.terminate()
        await daemon.wait()


async def test_missing_daemon_is_reported() -> None:
    code, out, err = await command("status", "--set", f"web.port={free_port()}", "--set", "web.host=127.0.0.1")
    assert (code, out) == (1, "")
    assert err.startswith("broadcaster: no broadcaster answers at http://127.0.0.1:")
    assert "/ (Connection refused). To start it: " in err


@pytest.mark.parametrize("word", ["settings", "token"])
def test_output_that_nobody_reads_is_no_bug(word):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "broadcaster", word]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, "")
