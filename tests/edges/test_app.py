"""The composition root: what ends the daemon, and how loudly."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading

import pytest

from broadcaster.app import serve
from tests.edges.app_rig import served, settings


def _break() -> None:
    _ = 1 / 0


async def test_an_exception_in_a_foreign_thread_is_logged_once_and_counted_and_the_daemon_goes_on(tmp_path, caplog):
    hook = threading.excepthook
    async with served(tmp_path, "test") as daemon:
        for _ in range(2):
            thread = threading.Thread(target=_break, name="foreign")
            thread.start()
            await asyncio.to_thread(thread.join)
        status = await daemon.until("live")
        assert status["internal_errors"] == 2
    assert threading.excepthook is hook
    bugs = [record for record in caplog.records if record.exc_info]
    assert [("foreign" in record.message, record.exc_info[0]) for record in bugs] == [(True, ZeroDivisionError)]


async def test_an_exception_in_a_callback_of_the_loop_is_logged_once_and_counted(tmp_path, caplog):
    loop = asyncio.get_running_loop()
    async with served(tmp_path, "test") as daemon:
        loop.call_soon(_break)
        loop.call_soon(_break)
        assert (await daemon.until("live"))["internal_errors"] == 2
    assert loop.get_exception_handler() is None
    assert caplog.text.count("ZeroDivisionError") == 1
    assert "Exception in callback _break" in caplog.text


async def test_a_bug_in_the_stream_ends_the_daemon_with_it(tmp_path, monkeypatch):
    async def broken(self: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("broadcaster.stream.controller.StreamController.run", broken)
    with pytest.raises(LookupError):
        await asyncio.wait_for(serve(settings(tmp_path), live=False, announce=lambda port, report: None), 5)


HANGING = """
import atexit, sys, threading
from broadcaster.devices.blocking import Worker
from broadcaster.devices.testcard.source import TestCard

class Hanging(TestCard):
    worker = Worker("the camera")
    async def close(self):
        await super().close()
        await self.worker.close(threading.Event().wait, 0.2)

atexit.register(threading.Event().wait)  # what picamera2 does: it closes the camera once more at the exit
sys.modules["broadcaster.devices.choose"].TestCard = Hanging
"""


@pytest.mark.parametrize("by_signal", [True, False], ids=["at SIGTERM", "when it is stopped"])
async def test_a_device_that_cannot_be_closed_ends_the_process_with_an_error(tmp_path, by_signal):
    start = f"import broadcaster.devices.choose\n{HANGING}\nfrom broadcaster.cli.commands import main\nsys.exit(main())"
    chosen = ["web.port=0", "web.host=127.0.0.1", "video.source=test", "audio.source=none", "video.width=320"]
    chosen += ["video.height=180", f"stream.state_dir={tmp_path}"]
    arguments = [part for text in chosen for part in ("--set", text)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", start, "run", "--live", *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said = b""
    async with asyncio.timeout(30):
        while b"stream is live" not in said:
            said += await process.stderr.readline()
        process.send_signal(signal.SIGTERM if by_signal else signal.SIGUSR1)
        said += await process.stderr.read()
        assert await process.wait() == 1
    assert b"the camera hangs" in said
    assert b"Traceback" not in said
