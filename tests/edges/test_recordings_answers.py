"""Recordings over HTTP: shares that have ended, gaps in the list, films behind a path prefix, a timelapse only."""

import json
import re
import time
from urllib.parse import urljoin

import aiohttp

from broadcaster.auth.shares import Share, sign_share
from tests.edges.app_rig import served
from tests.edges.recording_rig import NOON, DiskRig
from tests.edges.test_recordings_watching import SETTINGS, Archive, times
from tests.rigs.path_proxy import PathProxy

HOUR = 3600


async def test_share_ends_and_gaps_are_listed_and_films_play_behind_a_prefix(tmp_path):
    rig = DiskRig(tmp_path / "recordings")
    rig.disk.open()
    rig.record(3)
    begin = rig.clock.monotonic()
    rig.disk.note_gap(begin, begin + 10)
    rig.clock.advance(10)
    rig.record(2)
    rig.disk.close()
    async with served(tmp_path, "test", *SETTINGS) as daemon:
        found = Archive(daemon, rig)
        await shares_end(found, tmp_path)
        await gaps_are_listed(found)
        await film_plays_behind_a_prefix(found)


async def shares_end(found: Archive, tmp_path) -> None:
    status, answer = await found.post("api/recordings/shares", {"name": found.rig.files.names()[0], "hours": 1})
    assert (status, (await found.get(answer["path"]))[0]) == (200, 200)
    (key,) = tmp_path.rglob("link_key")
    for age, expected in ((HOUR - 60, 200), (HOUR + 60, 410)):
        share = sign_share(Share(int(time.time()) - age, HOUR, round(NOON * 1000), number=1), key.read_text().strip())
        status, text, _ = await found.get(f"recordings/shared/{share}.mp4")
        assert status == expected
    assert text == b"This share has ended.\n"


async def gaps_are_listed(found: Archive) -> None:
    gap = {"from": NOON + 6, "to": NOON + 16}
    for query, expected in (("", [gap]), (times(0, 7), [gap]), (times(0, 6), []), (times(16, 20), [])):
        assert json.loads((await found.get(f"api/recordings?{query}"))[1])["gaps"] == expected


async def film_plays_behind_a_prefix(found: Archive) -> None:
    async with PathProxy(found.daemon.port, "/camera") as proxy, aiohttp.ClientSession() as client:
        film = f"{proxy.url}recordings/film.m3u8?{times(0, 30)}"
        async with client.get(film) as response:
            text = await response.text()
        addresses = [line for line in text.splitlines() if line.endswith(".mp4")]
        addresses += re.findall(r'URI="(.*)"', text)
        assert len(addresses) >= 3
        for address in addresses:
            async with client.get(urljoin(film, address)) as response:
                assert (response.status, response.content_type) == (200, "video/mp4"), address


async def test_recorder_that_only_makes_a_timelapse_says_so(tmp_path):
    settings = (f"record.folder={tmp_path / 'recordings'}", "record.timelapse=10", "record.keep_free=0")
    async with served(tmp_path, "test", *settings) as daemon:
        found = Archive(daemon, DiskRig(tmp_path / "other"))
        status, text = await found.post("api/record", {"record": True})
        assert (status, "Only a timelapse is recorded" in text) == (409, True)
        assert (await found.get("api/recordings"))[0] == 200
