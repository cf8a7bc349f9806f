"""The composition root: unexpected exceptions and devices that hang."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading

import pytest

from broadcaster.app import serve
from tests.edges.app_rig import served, settings


def _raise() -> None:
    _ = 1 / 0


async def test_exceptions_in_a_library_thread_are_counted_and_logged_once(tmp_path, caplog):
    hook = threading.excepthook
    async with served(tmp_path, "test") as daemon:
        for _ in range(2):
            thread = threading.Thread(target=_raise, name="library")
            thread.start()
            await asyncio.to_thread(thread.join)
        status = await daemon.until("live")
        assert status["internal_errors"] == 2
    assert threading.excepthook is hook
    bugs = [record for record in caplog.records if record.exc_info]
    assert [("library" in record.message, record.exc_info[0]) for record in bugs] == [(True, ZeroDivisionError)]


async def test_exceptions_in_an_event_loop_callback_are_counted_and_logged_once(tmp_path, caplog):
    loop = asyncio.get_running_loop()
    async with served(tmp_path, "test") as daemon:
        loop.call_soon(_raise)
        loop.call_soon(_raise)
        assert (await daemon.until("live"))["internal_errors"] == 2
    assert loop.get_exception_handler() is None
    assert caplog.text.count("ZeroDivisionError") == 1
    assert "Exception in callback _raise" in caplog.text


async def test_bug_in_the_stream_makes_the_daemon_exit(tmp_path, monkeypatch):
    async def broken(self: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("broadcaster.stream.controller.StreamController.run", broken)
    with pytest.raises(LookupError):
        await asyncio.wait_for(serve(settings(tmp_path), live=False, announce=lambda port, report, code: None), 5)


HANGING = """
import atexit, sys, threading
from broadcaster.devices.blocking import Worker
from broadcaster.devices.testcard.source import TestCard

class Hanging(TestCard):
    worker = Worker("the camera")
    async def close(self):
        await super().close()
        await self.worker.close(threading.Event().wait, 0.2)

atexit.register(threading.Event().wait)  # as picamera2, which closes the camera again at exit
sys.modules["broadcaster.devices.choose"].TestCard = Hanging
"""


@pytest.mark.parametrize("by_signal", [True, False], ids=["at SIGTERM", "when the stream stops"])
async def test_device_that_hangs_while_closing_makes_the_daemon_exit_with_1(tmp_path, by_signal):
    start = f"import broadcaster.devices.choose\n{HANGING}\nfrom broadcaster.cli.commands import main\nsys.exit(main())"
    assignments = ["web.port=0", "web.host=127.0.0.1", "video.source=test", "audio.source=none", "video.width=320"]
    assignments += ["video.height=180", f"stream.state_dir={tmp_path}"]
    arguments = [part for text in assignments for part in ("--set", text)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", start, "run", "--live", *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    output = b""
    async with asyncio.timeout(30):
        while b"stream is live" not in output:
            output += await process.stderr.readline()
        process.send_signal(signal.SIGTERM if by_signal else signal.SIGUSR1)
        output += await process.stderr.read()
        assert await process.wait() == 1
    assert b"the camera hangs" in output
    assert b"Traceback" not in output


async def test_sound_that_was_muted_stays_muted_after_a_restart(tmp_path):
    (tmp_path / "sound").write_text("muted\n")
    async with served(tmp_path, "test", "audio.source=test") as daemon:
        status = await daemon.until("live")
        assert status["stream"]["sound"] == "none"
