"""The composition root: what ends the daemon, and how loudly."""

from __future__ import annotations

import asyncio
import threading

import pytest

from broadcaster.app import serve
from broadcaster.settings import Settings, read


def settings(tmp_path, *more: str) -> Settings:
    chosen = ["web.port=0", "web.host=127.0.0.1", "video.source=test", "audio.source=none", "stream.start=offline"]
    return read(assignments=[*chosen, f"stream.state_dir={tmp_path}", *more])


async def test_a_bug_in_a_thread_ends_the_daemon_with_it(tmp_path):
    async def break_a_thread() -> None:
        await asyncio.sleep(0.1)
        threading.Thread(target=lambda: 1 / 0).start()

    breaking = []

    def announce(port: int, report: object) -> None:
        breaking.append(asyncio.get_running_loop().create_task(break_a_thread()))

    hook = threading.excepthook
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(serve(settings(tmp_path), live=False, announce=announce), 5)
    assert threading.excepthook is hook


async def test_a_bug_in_the_stream_ends_the_daemon_with_it(tmp_path, monkeypatch):
    async def broken(self: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("broadcaster.stream.live.Live.run", broken)
    with pytest.raises(LookupError):
        await asyncio.wait_for(serve(settings(tmp_path), live=False, announce=lambda port, report: None), 5)
