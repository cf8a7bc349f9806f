"""The owner's page in Chromium: signing in, going live, viewers, links, signing out."""

from __future__ import annotations

import re

import aiohttp
from playwright.async_api import expect

from broadcaster.signaling.protocol import SUBPROTOCOL
from tests.rigs.daemon import Daemon
from tests.rigs.path_proxy import PathProxy

TOKEN = "orchard-gravel-topaz-nine"
OWNER = {"Authorization": f"Bearer {TOKEN}"}
SMALL = {"video__width": 320, "video__height": 180, "video__fps": 10, "video__bitrate": 200_000}


async def test_owner_signs_in_goes_live_and_ends_a_link(browser):
    async with (
        Daemon(live=False, web__operator_token=TOKEN, web__links="true", **SMALL) as daemon,
        PathProxy(daemon.port, "/home/cam") as proxy,
        aiohttp.ClientSession(headers=OWNER) as client,
    ):
        context = await browser.new_context(viewport={"width": 390, "height": 844})
        page, errors = await context.new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(f"{proxy.url}owner")
        await page.get_by_label("Operator token").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("This token is wrong.")

        async with client.post(f"{daemon.url}api/owner/code", json={}) as response:
            code = (await response.json())["code"]
        await page.goto("about:blank")
        await page.goto(f"{proxy.url}owner#t={code}")
        await page.get_by_role("button", name="Go live").click()
        await expect(page.locator(".pill")).to_have_text("LIVE", timeout=20_000)
        assert page.url == f"{proxy.url}owner", "the code is not left in the address bar"
        (cookie,) = await context.cookies()
        assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/home/cam/", True, "Strict")

        await page.get_by_label("For whom").fill("安娜 Anna")
        await page.get_by_role("button", name="Make a link").click()
        link = await page.get_by_role("textbox", name="Link", exact=True).input_value()
        assert link.startswith(f"{proxy.url}#t=")
        await page.get_by_role("button", name="Close").click()
        async with client.ws_connect(f"{daemon.url}ws", protocols=[SUBPROTOCOL]) as viewer:
            await viewer.send_json({"type": "hello", "token": link.partition("#t=")[2]})
            await expect(page.locator("#h-viewers ~ .count")).to_have_text("1 of 20")
            await page.get_by_role("button", name="End the link of 安娜 Anna").click()
            await page.get_by_role("dialog").get_by_role("button", name="End").click()
            while not viewer.closed:
                await viewer.receive()
            assert viewer.close_code == 4001
        await expect(page.get_by_text("Nobody is watching.")).to_be_visible()

        await change_settings(page, client, daemon)
        await page.get_by_text("Log", exact=True).click()
        await expect(page.locator(".log")).to_contain_text("ended the link of 安娜 Anna")
        await page.get_by_role("button", name="Stop", exact=True).click()
        await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        assert (await daemon.status())["stream"]["state"] == "live", "one question comes before the end"
        await page.get_by_role("button", name="Show preview").click()
        preview = page.frame_locator("iframe").locator("live-view")
        await expect(preview).to_have_attribute("data-state", "live", timeout=20_000)

        assert await too_small(page) == []
        await page.get_by_role("button", name="Sign out all").click()
        await page.get_by_role("dialog").get_by_role("button", name="Sign out all").click()
        await expect(page.get_by_role("alert")).to_have_text("This browser was signed out.")
        assert errors == []
        await context.close()


async def change_settings(page, client, daemon) -> None:
    """Name the station, give the stream a limit, and see a wrong value refused."""
    await page.get_by_label("Title", exact=True).fill("花园 Garden")
    await page.get_by_label("Next planned start").fill("2030-12-24T18:00")
    await page.get_by_role("button", name="Save", exact=True).click()
    async with client.ws_connect(f"{daemon.url}ws", protocols=[SUBPROTOCOL]) as viewer:
        link = await (await client.post(f"{daemon.url}api/owner/links", json={"name": "", "hours": 1})).json()
        await expect(page.locator(".toast")).to_contain_text("Saved.")
        await viewer.send_json({"type": "hello", "token": link["token"]})
        station = (await viewer.receive_json())["station"]
        assert (station["title"], station["next"] > 1.9e9) == ("花园 Garden", True)
    await page.get_by_text("Settings to change here").click()
    await page.get_by_role("button", name="Change video.fps").click()
    await page.get_by_label("a whole number from 1 to 120").fill("12")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Applied after the next start")).to_have_count(0)  # the command line covers it
    await page.get_by_role("button", name="Change web.max_viewers").click()
    await page.get_by_label("a whole number from 1 to 1000").fill("5")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page.locator("#h-viewers ~ .count")).to_contain_text("of 5")


async def too_small(page) -> list[str]:
    """Return the controls that are less than 44 pixels high or that have no name, and what is wider than the page."""
    controls = page.locator("button:visible, a:visible, input:visible, select:visible, summary:visible")
    found = []
    for control in await controls.all():
        box = await control.bounding_box()
        if box is not None and box["height"] < 43.9:
            found.append(f"{await control.inner_text()}: {box['height']} px")
    if await page.locator("html").evaluate("html => html.scrollWidth > html.clientWidth"):
        found.append("the page scrolls sideways")
    return found


async def test_viewer_page_loads_nothing_of_the_owner_s(open_page):
    async with Daemon(**SMALL) as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        assert not [url for url in viewer.requests if re.search("owner", url)]
