"""The check as a child process: its results, its limit, one at a time, and its end with the daemon."""

from __future__ import annotations

import asyncio
from typing import Any

from broadcaster.service.check_process import CheckProcess


async def ended(check: CheckProcess) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while check.report is None or check.report["state"] == "running":
            await asyncio.sleep(0.05)
    return check.report


async def test_results_of_one_check_at_a_time() -> None:
    check = CheckProcess(["settings", "--as-me", "--set", "web.max_viewers=3"])
    assert check.report is None
    assert check.start()
    assert not check.start()
    report = await ended(check)
    (result,) = report["results"]
    assert (report["state"], result["what"], result["level"]) == ("done", "settings", "ok")
    assert "settings differ" in result["found"] or "setting differs" in result["found"]


async def test_wrong_usage_fails() -> None:
    check = CheckProcess(["nonsense"])
    check.start()
    assert await ended(check) == {"state": "failed", "results": []}
    assert check.start(), "another one may follow"
    check.close()
    assert (await ended(check))["state"] == "failed"


async def test_limit() -> None:
    check = CheckProcess(["settings"], limit=0.01)
    check.start()
    assert (await ended(check))["state"] == "failed"
