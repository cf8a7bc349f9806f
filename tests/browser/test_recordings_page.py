"""The page of recordings in Chromium with a daemon, and its seeks in Firefox.

One folder serves all tests: two files of ten seconds without a gap, a file after twelve minutes, a clip of the first,
one that is damaged; and a day of 288 files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, TimeoutError, expect

from broadcaster.outputs.recording.names import file_name
from tests.edges.recording_rig import NOON, DiskRig
from tests.rigs.daemon import Daemon
from tests.rigs.firefox import firefox

SECONDS = 10
DAY = 86_400
BUSY_DAY = NOON - 10 * DAY
"""A day of 288 files."""
APP = "document.querySelector('recordings-view').app"
LIMIT = 15_000
STATE = """() => {
    const { player } = document.querySelector("recordings-view").app
    const state = ({ video, recording }) =>
        [recording?.number, video.currentTime, video.readyState, video.error?.message]
    const reels = player.reels.map(state)
    return JSON.stringify([player.time, player.target, player.playing, player.shown, reels])
}"""
SEEK = """async times => {
    const { player } = document.querySelector("recordings-view").app
    const took = []
    for (const time of times) {
        const began = performance.now()
        await player.seek(time)
        const { video } = player.active
        const shown = player.active.recording.started + video.currentTime
        if (Math.abs(shown - time) > 0.1 || video.readyState < 2) throw new Error(`${shown} instead of ${time}`)
        took.push(performance.now() - began)
    }
    return took
}"""


def make_recordings(folder: Path) -> None:
    """Write the files, as the recorder does."""
    rig = DiskRig(folder)
    rig.disk.open()
    rig.record(SECONDS // 2)
    rig.record(SECONDS // 2)
    rig.clock.advance(720)
    rig.record(SECONDS // 2)
    rig.disk.close()
    (folder / file_name(9, NOON + 5, kept=False)).write_bytes(os.urandom(100_000))
    shutil.copy(folder / rig.files.names()[0], folder / file_name(10, NOON, kept=True))


def make_busy_day(folder: Path) -> None:
    """Fill a day with 288 files of five minutes, which are one on the disk."""
    rig = DiskRig(folder / "one")
    rig.disk.open()
    rig.record(150)
    rig.disk.close()
    (name,) = rig.files.names()
    for number in range(288):
        os.link(folder / "one" / name, folder / file_name(100 + number, BUSY_DAY - DAY / 2 + number * 300, kept=False))
    shutil.rmtree(folder / "one")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "films"
    make_recordings(path)
    make_busy_day(path)
    return path


@pytest_asyncio.fixture(loop_scope="session")
async def daemon(folder, tmp_path) -> AsyncIterator[Daemon]:
    shutil.copytree(folder, tmp_path / "films", copy_function=os.link)
    settings = {"record__mode": "demand", "record__before": 0, "record__keep_days": 0, "record__keep_free": 0}
    async with Daemon(record__folder=tmp_path / "films", **settings) as daemon:
        yield daemon


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser, daemon) -> AsyncIterator[Page]:
    """The page, open; nothing may go wrong in it."""
    context = await browser.new_context(timezone_id="UTC", locale="en-GB", viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: message.type == "error" and errors.append(f"{message.text} {message.location['url']}"),
    )
    await page.goto(f"{daemon.url}recordings")
    await expect(page.locator(".body")).to_be_visible(timeout=LIMIT)
    yield page
    await context.close()
    assert errors == []


async def until(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression is true; `app` is the page's."""
    try:
        await page.wait_for_function(f"() => {{ const app = {APP}; return {condition} }}", timeout=LIMIT)
    except TimeoutError:
        raise AssertionError(f"{condition}: {await page.evaluate(STATE)}") from None


async def click_time(page: Page, seconds: float) -> None:
    """Click on the timeline where that many seconds after noon are."""
    box = await page.locator(".axis").bounding_box()
    fraction = await page.evaluate(f"{APP}.timeline.scale.fraction({NOON + seconds})")
    assert box is not None
    await page.mouse.click(box["x"] + fraction * box["width"], box["y"] + box["height"] / 2)


def row(page: Page, number: int) -> Locator:
    return page.locator(f"[data-number='{number}']")


async def test_timeline_shows_the_day_and_its_gaps(page):
    await expect(page.locator(".day span")).to_have_text("Sun, 1 Mar 2026")
    await expect(page.locator(".storage")).to_contain_text("free · kept until you delete them")
    await expect(page.locator(".recorder")).to_have_text(re.compile("Not recording|Waiting"))
    await until(page, "app.timeline.spans.length === 2 && app.timeline.kept.length === 1")
    axis = page.get_by_role("slider", name="Time of day")
    box = await page.locator(".axis").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    await expect(page.locator(".preview span")).to_contain_text("nothing recorded 12:00 – 12:12")
    await click_time(page, 725)
    await until(page, f"app.player.recording?.number === 3 && app.player.playing && app.player.time > {NOON + 725}")
    await page.keyboard.press("k")
    assert re.fullmatch(r"12:12:\d\d", str(await axis.get_attribute("aria-valuetext")))
    await page.keyboard.press("Home")
    await until(page, f"Math.abs(app.player.time - {NOON}) < 0.1 && app.player.target === null")
    await page.keyboard.press("Shift+ArrowRight")  # a minute: into the gap, so the next picture is shown
    await until(page, f"Math.abs(app.player.time - {NOON + 740}) < 0.1")
    await page.locator("[data-command=previousDay]").click()
    await expect(page.locator(".day span")).to_have_text("Thu, 19 Feb 2026")
    await expect(page.locator(".total")).to_contain_text("288 recordings")
    assert await page.locator(".item").count() < 40
    assert await page.locator(".axis i").count() < 200


async def test_film_plays_across_files_and_over_gaps(page):
    await click_time(page, 6)
    await page.evaluate(f"""() => {{
        const {{ player }} = {APP}
        window.frames_shown = []
        const watch = reel => reel.video.requestVideoFrameCallback((now, {{ mediaTime }}) => {{
            if (reel === player.active) window.frames_shown.push([now, reel.recording.started + mediaTime])
            watch(reel)
        }})
        player.reels.forEach(watch)
    }}""")
    await until(page, "app.player.recording?.number === 2")
    await until(page, f"app.player.time > {NOON + 12}")
    frames = await page.evaluate(f"window.frames_shown.map(([at, time]) => [at, time - {NOON}])")
    before = max(at for at, time in frames if 5 < time < SECONDS)
    after = min(at for at, time in frames if SECONDS <= time < SECONDS + 5)
    print(f"from the last picture of a file to the first one of the next: {after - before:.0f} ms")
    assert after - before < 5000  # on a busy machine
    await click_time(page, 18)
    await until(page, "app.player.recording?.number === 3")
    await expect(page.locator(".toast")).to_have_text("Nothing was recorded from 12:00 to 12:12.")
    await until(page, "!app.player.playing")  # the last one
    assert await page.evaluate(f"Math.abs({APP}.player.time - {NOON + 750}) < 0.2")


async def test_part_is_marked_by_keys_saved_downloaded_and_shared(page, daemon):
    await click_time(page, 2)
    await page.keyboard.press("k")
    await page.keyboard.press("i")
    await page.keyboard.press("ArrowRight")
    await until(page, "app.player.recording?.number === 2 && app.player.target === null")
    await page.keyboard.press("o")
    await expect(page.locator(".part")).to_have_text(re.compile(r"12:00:0\d\.\d – 12:00:1\d\.\d · 10s"))
    async with page.expect_download() as download:
        await page.keyboard.press("d")
    assert (await download.value).suggested_filename.endswith(".mp4")
    await page.keyboard.press("s")
    await expect(page.locator(".toast")).to_contain_text("Saved as a clip: 12:00:0", timeout=LIMIT)
    await page.get_by_role("tab", name="Starred").click()
    await expect(page.locator(".item")).to_have_count(2)
    await page.get_by_role("button", name="Share the part").click()
    await page.get_by_role("button", name="Make link").click()
    link = page.get_by_role("textbox", name="Share a link")
    await expect(link).to_have_value(re.compile(rf"{daemon.url}recordings/shared/\S+\.mp4$"))
    assert (await page.request.get(await link.input_value())).ok


async def test_recordings_are_kept_downloaded_and_deleted(page, daemon):
    star = row(page, 3).locator("[data-row=keep]")
    await star.click()
    await expect(star).to_have_attribute("aria-pressed", "true")
    async with page.expect_download() as download:
        await row(page, 3).locator("[data-row=download]").click()
    assert (await download.value).suggested_filename.startswith("2026-03-01 ")
    await expect(row(page, 9)).to_contain_text("damaged")
    await expect(row(page, 9).locator(".open")).to_be_disabled()
    await row(page, 2).locator(".open").click()
    await until(page, "app.player.recording?.number === 2")
    await page.keyboard.press("Delete")
    question = page.get_by_role("alertdialog")
    await expect(question).to_contain_text("This cannot be undone.")
    await page.keyboard.press("d")  # does nothing here
    await page.keyboard.press("Escape")
    await expect(row(page, 2)).to_be_visible()
    await row(page, 2).locator("[data-row=remove]").click()
    await question.get_by_role("button", name="Delete").click()
    await expect(row(page, 2)).to_have_count(0)
    await expect(page.locator(".toast")).to_have_text("Deleted.")


async def test_what_is_being_recorded_plays_and_seeks(page, daemon):
    await page.request.post(f"{daemon.url}api/record", data={"record": True})
    await expect(page.locator("[data-command=nextDay]")).to_be_enabled()
    await page.locator("[data-command=nextDay]").click()
    await expect(page.locator(".item .what.live")).to_be_visible(timeout=LIMIT)
    await page.locator(".item .open").click()
    await until(page, "app.player.recording?.open && app.player.active.video.currentTime > 1")
    await page.evaluate(f"{APP}.player.seek({APP}.player.recording.started + 0.5)")
    await until(page, "app.player.target === null && app.player.active.video.readyState >= 2")
    await page.evaluate(f"{APP}.player.seek({APP}.player.film.end - 0.2)")
    await until(page, "app.player.atEdge")
    await expect(page.locator(".edge")).to_contain_text("You have seen all that is recorded so far.")
    loaded = await page.evaluate(f"{APP}.player.active.loaded")
    await until(page, f"app.player.active.loaded > {loaded} && !app.player.atEdge")  # goes on by itself


async def test_seeks_are_fast(page):
    times = [BUSY_DAY - DAY / 2 + (number * 7919) % 86_000 + 0.5 for number in range(30)]
    for name, wanted in (
        ("in a day of 288 files", times),
        ("in a file of 5 min", [times[0] + i * 37 % 280 for i in range(30)]),
    ):
        report(f"Chromium, {name}", await page.evaluate(SEEK, wanted))


async def test_seeks_are_fast_in_firefox(daemon):
    times = [BUSY_DAY - DAY / 2 + (number * 7919) % 86_000 + 0.5 for number in range(20)]
    async with firefox() as tab:
        await tab.open(f"{daemon.url}recordings")
        await tab.until(f"{APP}.listing && {APP}.player.target === null")
        took = await tab.evaluate(f"({SEEK})({json.dumps(times)}).then(JSON.stringify)")
        report("Firefox, in a day of 288 files", json.loads(took))


def report(what: str, took: list[float]) -> None:
    """Print the times; only half of the seeks must be fast enough, because a busy machine delays some."""
    ordered = sorted(took)
    median, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    print(f"seeks, {what}: median {median:.0f} ms, p95 {p95:.0f} ms")
    assert median < 3000
