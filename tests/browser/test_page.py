"""The page in Chromium with a daemon: what a viewer sees and hears."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Awaitable
from urllib.parse import urlsplit

from playwright.async_api import async_playwright, expect

from tests.edges.devices_rig import make_file
from tests.rigs.browser import Viewer, latencies, launch
from tests.rigs.daemon import Daemon, free_port


async def seconds(*steps: Awaitable[object]) -> float:
    """Return how long the steps take, one after another."""
    began = time.monotonic()
    for step in steps:
        await step
    return time.monotonic() - began


async def test_video_and_audio_arrive(open_page):
    async with Daemon() as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        frames = await viewer.wait_for_frames(45)
        numbers = [number for _, number, _ in frames]
        # A number may occur twice: when a frame was read late, the next one has already replaced it.
        assert all((b - a) % 65536 < 32768 for a, b in itertools.pairwise(numbers))
        assert len(set(numbers)) > 20
        assert sorted(latencies(frames))[len(frames) // 2] < 500
        audio = await viewer.inbound("audio")
        assert audio["packetsReceived"] > 30
        await viewer.page.keyboard.press("m")
        async with asyncio.timeout(10):
            while not (await viewer.inbound("audio"))["totalAudioEnergy"] > 0:
                await asyncio.sleep(0.1)
        assert (await viewer.attribute("data-sound")) == "on"


async def test_stereo_is_preserved(open_page, tmp_path):
    film = make_file(tmp_path / "left.mp4", audio="aac", seconds=4.0, left_only=True)
    async with Daemon(video__source="file", video__file=film, audio__source="file") as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        await viewer.page.keyboard.press("m")  # a user gesture, which audio contexts require
        async with asyncio.timeout(10):
            while not (peaks := await viewer.loudness())[0] > 0.05:
                await asyncio.sleep(0.1)
        assert peaks[1] < peaks[0] / 20


async def test_missing_audio_is_shown_only_with_the_controls(open_page):
    async with Daemon(audio__source="none") as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        note = viewer.page.locator(".note")
        assert (await viewer.attribute("data-sound")) == "none"
        assert not await note.is_visible()
        await viewer.page.mouse.move(200, 200)
        await note.wait_for(state="visible")
        assert await note.inner_text() == "No sound from the camera"


async def test_lost_audio_is_shown_at_once(open_page):
    async with Daemon() as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        await viewer.evaluate(
            "document.querySelector('live-view').viewer.view.sound = 'lost'"
        )  # as a `stream` message does
        note = viewer.page.locator(".note")
        await note.wait_for(state="visible")
        assert await note.inner_text() == "The microphone has stopped"


async def test_live_state_follows_the_first_presented_frame(open_page):
    async with Daemon() as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        states = await viewer.evaluate("window.testStates")
        first_picture = await viewer.evaluate("window.testFirstPicture")
        live_at = next(entry["at"] for entry in states if entry["state"] == "live")
        assert live_at >= first_picture
        assert states[0]["state"] == "connecting"


async def test_stop_and_start_are_shown_within_a_second(open_page):
    async with Daemon() as daemon:
        viewer = await open_page(daemon.url)
        waits = []
        for _ in range(3):  # the shortest of three, because a busy machine makes it longer
            await viewer.state("live")
            waits.append(
                max(
                    await seconds(daemon.set_live(False), viewer.state("standby")),
                    await seconds(daemon.set_live(True), viewer.state("starting", "connecting", "live")),
                )
            )
        await viewer.state("live")
        assert min(waits) < 1
        assert viewer.errors == []


async def test_page_waits_while_offline_and_starts_by_itself(open_page):
    async with Daemon(live=False, stream__start="offline") as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("standby")
        await viewer.page.wait_for_selector("live-view[data-viewers='1']")
        await expect(viewer.page.locator(".count")).to_be_hidden()
        daemon.signal(signal.SIGUSR1)
        await viewer.state("live")
        await expect(viewer.page.locator(".count")).to_be_visible()
        await expect(viewer.page.locator(".unmute")).to_have_text("Click for sound")


async def test_page_recovers_after_a_killed_daemon_is_restarted(open_page):
    port = free_port()
    async with Daemon(port=port) as first:
        viewer = await open_page(first.url)
        await viewer.state("live")
        await first.stop(signal.SIGKILL)
        await viewer.state("reconnecting")
    async with Daemon(port=port):
        await viewer.state("live", limit=30)
        assert await viewer.wait_for_frames(10)


async def test_more_viewers_cause_no_loss_for_the_first(open_page):
    small = {"video__width": 320, "video__height": 180, "video__fps": 10, "video__bitrate": 200_000}
    async with Daemon(**small) as daemon:
        first = await open_page(daemon.url)
        await first.state("live")
        lost_before = (await first.inbound("video"))["packetsLost"]
        others = [await open_page(daemon.url) for _ in range(9)]
        for viewer in others:
            await viewer.state("live", limit=60)
        assert (await daemon.status())["viewers"] == 10
        video = await first.inbound("video")
        assert video["packetsLost"] == lost_before
        assert await others[-1].wait_for_frames(5)
        await first.page.wait_for_function("document.querySelector('live-view').dataset.viewers === '10'")


async def test_full_state_shows_the_limit(open_page):
    async with Daemon(web__max_viewers=1) as daemon:
        first = await open_page(daemon.url)
        await first.state("live")
        second = await open_page(daemon.url)
        await second.state("full")
        assert await second.page.locator("h1").inner_text() == "The only place is taken."


async def test_wrong_token_is_denied_and_the_right_one_accepted(open_page):
    tokens = {"web__viewer_token": "correct-horse-battery-1", "web__operator_token": "battery-staple-horse-22"}
    async with Daemon(**tokens) as daemon:
        for link, title in (
            (daemon.url, "This stream is private."),
            (f"{daemon.url}#t=wrong", "This link or code is not valid."),
        ):
            viewer = await open_page(link)
            await viewer.state("denied")
            assert await viewer.page.locator("h1").inner_text() == title
        viewer = await open_page(f"{daemon.url}#t=correct-horse-battery-1")
        await viewer.state("live")
        assert "#" not in await viewer.evaluate("location.href")
        assert "correct-horse-battery-1" not in daemon.log


async def test_page_works_in_an_insecure_context():
    async with Daemon(web__hosts='["pi.test"]') as daemon, async_playwright() as playwright:
        browser = await launch(playwright, "--host-resolver-rules=MAP pi.test 127.0.0.1")
        viewer = Viewer(await browser.new_page())
        await viewer.open(f"http://pi.test:{daemon.port}/")
        assert await viewer.evaluate("window.isSecureContext") is False
        await viewer.state("live")
        assert viewer.errors == []
        await browser.close()


async def test_session_survives_hiding_the_page(open_page):
    async with Daemon() as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        await viewer.hide()
        await asyncio.sleep(9)
        assert await viewer.evaluate("document.hidden")
        await viewer.show()
        await viewer.state("live")
        assert len(await viewer.evaluate("window.testPeers")) == 1
        assert daemon.log.count("joined") == 1


async def test_no_console_errors_and_no_requests_to_other_hosts(open_page):
    async with Daemon() as daemon:
        viewer = await open_page(f"{daemon.url}?stats=1")
        await viewer.state("live")
        await asyncio.sleep(2)
        assert viewer.errors == []
        assert {urlsplit(url).netloc for url in viewer.requests} == {f"127.0.0.1:{daemon.port}"}
