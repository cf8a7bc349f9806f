"""Stock Firefox with the page, driven by WebDriver BiDi (W3C) over its WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.rigs import page_scripts

NAMES = ("firefox-esr", "firefox")

_PREFERENCES = {
    # Stock: the OpenH264 plug-in is downloaded after the first start, and there is no network here.
    "media.gmp-manager.updateEnabled": "false",
    "network.captive-portal-service.enabled": "false",
    "network.connectivity-service.enabled": "false",
    "app.normandy.enabled": "false",
    "datareporting.policy.dataSubmissionEnabled": "false",
}
_START_LIMIT = 60.0
_COMMAND_LIMIT = 30.0


class FirefoxPage:
    """A tab of Firefox; use `firefox()` to get one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._context = ""

    async def start(self) -> None:
        """Open the session."""
        await self._call("session.new", capabilities={})
        tree = await self._call("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    async def open(self, url: str) -> None:
        """Load the page, and read the frames presented in it."""
        await self._call("script.addPreloadScript", functionDeclaration=page_scripts.INSTRUMENT)
        await self._call("browsingContext.navigate", context=self._context, url=url, wait="complete")
        await self.evaluate(f"({page_scripts.WATCH})()")

    async def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression; only simple values. Raises AssertionError if it throws."""
        target = {"context": self._context}
        answer = await self._call("script.evaluate", expression=script, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    async def until(self, condition: str, limit: float = 20.0) -> None:
        """Wait until a JavaScript expression, which may contain `await`, is true."""
        async with asyncio.timeout(limit):
            while not await self.evaluate(f"(async () => Boolean({condition}))()"):
                await asyncio.sleep(0.1)

    async def press(self, key: str) -> None:
        """Press and release a key, as a user does."""
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        await self._call("input.performActions", context=self._context, actions=[source])

    async def _call(self, method: str, **parameters: object) -> Any:
        number = next(self._numbers)
        async with asyncio.timeout(_COMMAND_LIMIT):
            await self._socket.send_json({"id": number, "method": method, "params": parameters})
            while (answer := await self._socket.receive_json()).get("id") != number:
                pass
        assert answer["type"] == "success", answer
        return answer["result"]


@contextlib.asynccontextmanager
async def firefox() -> AsyncIterator[FirefoxPage]:
    """Run Firefox without a window and with a new profile; skip the test if none is installed."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Firefox on this machine: sudo apt install firefox-esr")
    with tempfile.TemporaryDirectory(prefix="broadcaster-firefox-", ignore_cleanup_errors=True) as folder:
        lines = [f'user_pref("{name}", {value});\n' for name, value in _PREFERENCES.items()]
        (Path(folder) / "user.js").write_text("".join(lines))
        process = await asyncio.create_subprocess_exec(
            *(program, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"HOME": folder},
        )
        try:
            url = await asyncio.wait_for(_address(process), _START_LIMIT)
            async with aiohttp.ClientSession() as client, client.ws_connect(f"{url}/session", max_msg_size=0) as socket:
                page = FirefoxPage(socket)
                await page.start()
                drain = asyncio.create_task(_drain(process))
                yield page
                drain.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Return the address that Firefox prints when it is ready."""
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"WebDriver BiDi listening on (ws://\S+)", line):
            return found[1].decode()
    raise AssertionError("Firefox has ended")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    async for _ in process.stderr:
        pass
