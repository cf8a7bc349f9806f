"""A daemon that real players watch: its settings, packages from npm, and what the operator sees of the player."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.rigs.daemon import Daemon

FOLDER = Path(__file__).parent
INSTALL_LIMIT = 180.0
PLAY_LIMIT = 60.0
"""Seconds; generous, because players start slowly on a busy machine."""
FRAMES = 15
"""Frames that a player must show."""


def whep_url(daemon: Daemon) -> str:
    """Return the URL that players get."""
    return f"{daemon.url}whep"


async def figures(daemon: Daemon) -> list[dict[str, Any]]:
    """Return the operator's view of each viewer."""
    status: Any = await daemon.status()
    return list(status["viewer_figures"])


async def wait_until(daemon: Daemon, condition: Callable[[list[dict[str, Any]]], bool], limit: float = 20.0) -> None:
    """Wait until the operator's view of the viewers fulfils the condition."""
    async with asyncio.timeout(limit):
        while not condition(await figures(daemon)):
            await asyncio.sleep(0.1)


async def install(folder: Path, *packages: str) -> Path:
    """Install npm packages into the folder; skip the test where there is no npm, or its registry is unreachable."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("no npm on this machine: sudo apt install npm")
    process = await asyncio.create_subprocess_exec(
        *("npm", "install", "--no-fund", "--no-audit", "--no-save", "--loglevel=error", *packages),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), INSTALL_LIMIT)
    except TimeoutError:
        process.kill()
        await process.wait()
        pytest.skip(f"npm did not install {' '.join(packages)} within {INSTALL_LIMIT:g} s")
    if process.returncode:
        pytest.skip(f"npm cannot install {' '.join(packages)}: {output.decode()[-300:]}")
    return folder


async def run_script(folder: Path, script: str, url: str) -> dict[str, Any]:
    """Run one of our Node.js players beside its packages; return what it prints when it has received enough."""
    (folder / "player.mjs").write_text((FOLDER / script).read_text("utf-8"), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *("node", "player.mjs", url),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"FRAMES": str(FRAMES)},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PLAY_LIMIT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output
    result: dict[str, Any] = json.loads(output)
    return result


@contextlib.asynccontextmanager
async def player_page(modules: Path | None = None) -> AsyncIterator[str]:
    """Serve the plain player, and the modules that it may import, as a web site of its own; yield its origin."""

    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(FOLDER / "player.html")

    app = web.Application()
    app.router.add_get("/", page)
    if modules is not None:
        app.router.add_static("/modules", modules)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
