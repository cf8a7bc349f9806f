"""Saving part of what was recorded as a clip, on the page of recordings in Chromium."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.edges.recording_rig import NOON, DiskRig
from tests.rigs.daemon import Daemon

APP = "document.querySelector('recordings-view').app"
LIMIT = 15_000
"""Milliseconds."""


async def seek(page, time: float) -> None:
    await page.evaluate(f"{APP}.player.seek({time})")
    await page.wait_for_function(f"() => {APP}.player.target === null", timeout=LIMIT)


async def test_part_between_marks_is_saved_as_a_clip(browser, tmp_path):
    rig = DiskRig(tmp_path)
    rig.disk.open()
    rig.record(5)
    rig.record(5)
    rig.disk.close()
    settings = {"record__mode": "demand", "record__before": 0, "record__keep_days": 0, "record__keep_free": 0}
    async with Daemon(record__folder=tmp_path, **settings) as daemon:
        page = await (await browser.new_context(timezone_id="UTC", locale="en-GB")).new_page()
        await page.goto(f"{daemon.url}recordings")
        await expect(page.locator(".item")).to_have_count(2, timeout=LIMIT)
        await seek(page, NOON + 3)
        await page.keyboard.press("i")
        await seek(page, NOON + 13)
        await page.keyboard.press("o")
        await page.keyboard.press("s")
        await expect(page.locator(".toast")).to_contain_text("Saved as a clip: ", timeout=LIMIT)
        await expect(page.locator(".item")).to_have_count(3, timeout=LIMIT)
        listed = await (await page.request.get(f"{daemon.url}api/recordings")).json()
        clip = listed["recordings"][-1]
        assert (clip["number"], clip["kept"], clip["started"]) == (3, True, pytest.approx(NOON + 2, abs=0.1))
        assert clip["duration"] == pytest.approx(12, abs=0.05)  # from keyframe to keyframe
        await page.evaluate(f"{APP}.api.saveClip({{from: {NOON + 500}, to: {NOON + 600}}}).catch(e => window.why = e)")
        assert "nothing was recorded at that time" in await page.evaluate("String(window.why.message)")
        await page.context.close()
