"""Watching recordings over HTTP: films of several files, exports, thumbnails, shares, and who may have them."""

import asyncio
import contextlib
import io
import json
import os
import re
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import av
import pytest

from broadcaster.web import ranged_file
from tests.edges.app_rig import LiveDaemon, served
from tests.edges.recording_rig import NOON, DiskRig
from tests.edges.web_rig import until
from tests.rigs.http import request
from tests.unit.recordings import needs_ffprobe, probe

SETTINGS = ("record.mode=demand", "record.keep_free=0", "record.keep_days=0", "record.clip=0")
TOKEN = "orchard-gravel-topaz-nine"
OWN = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Archive:
    """A daemon with two files that follow each other, and another one a minute later: 8 s, 6 s and 4 s."""

    daemon: LiveDaemon
    rig: DiskRig

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, Any]:
        return await request(self.daemon.port, "GET", f"/{path}", **headers)

    async def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        status, answer, _ = await request(self.daemon.port, "POST", f"/{path}", body, **headers)
        return status, json.loads(answer) if status == 200 else answer.decode()

    async def film(self, start: float, end: float, **query: str) -> str:
        status, text, _ = await self.get("recordings/film.m3u8?" + times(start, end, **query))
        assert status == 200, text
        return text.decode()


def times(start: float, end: float, **query: str) -> str:
    return urlencode({"from": NOON + start, "to": NOON + end, **query})


@asynccontextmanager
async def archive(tmp_path, *settings: str):
    rig = DiskRig(tmp_path / "recordings")
    rig.disk.open()
    for count, pause in ((4, 0), (3, 60), (2, 0)):
        rig.record(count)
        rig.clock.advance(pause)
    rig.disk.close()
    async with served(tmp_path, "test", *SETTINGS, *settings) as daemon:
        yield Archive(daemon, rig)


def frames(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as file:
        return sum(1 for _ in file.decode(video=0))


async def test_film_lists_the_parts_of_all_files(tmp_path):
    async with archive(tmp_path) as found:
        text = await found.film(2.5, 200)
        names = found.rig.files.names()
        assert re.findall(r'MAP:URI="(\S+)/init.mp4"', text) == names[:1]
        before, after = text.split("#EXT-X-DISCONTINUITY")
        assert (names[1] in before, names[2] in before, names[2] in after) == (True, False, True)
        assert re.findall(r"DATE-TIME:(\S+)", text) == [
            "2026-03-01T12:00:02.000Z", "2026-03-01T12:00:08.000Z", "2026-03-01T12:01:14.000Z",
        ]  # fmt: skip
        assert sum(map(float, re.findall(r"EXTINF:([\d.]+)", text))) == pytest.approx(16, abs=0.05)
        assert text.startswith("#EXTM3U\n")
        assert text.endswith("#EXT-X-ENDLIST\n")
        pieces = [f"{names[0]}/init.mp4", *(line for line in text.splitlines() if line.startswith("000"))]
        data = b"".join([(await found.get(f"recordings/{piece}"))[1] for piece in pieces])
        with av.open(io.BytesIO(data)) as file:
            shown = [float(picture.time) for picture in file.decode(video=0)]
        assert len(shown) == 16 * 30
        assert shown == pytest.approx([number / 30 for number in range(len(shown))], abs=0.001)
        for wrong in ("5_100_0", "1076_99999999_0", "1076_100_0", "999999999999_1_0"):
            assert (await found.get(f"recordings/{names[0]}/{wrong}.mp4"))[0] == 404
        for start, end in ((8.5, 8.6), (200, 300), (-50, 0)):
            status, _, _ = await found.get("recordings/film.m3u8?" + times(start, end))
            assert status == (200 if start == 8.5 else 404)


def seek(url: str, seconds: float) -> tuple[float, float]:
    """Return the duration of a film, and the time of the first picture after seeking."""
    with av.open(url) as film:
        film.seek(round(seconds * av.time_base))
        return film.duration / av.time_base, float(next(film.decode(video=0)).time)


@needs_ffprobe
async def test_ffmpeg_plays_a_film_and_seeks_in_it(tmp_path):
    """Debian 12's ffmpeg cannot seek in its own HLS of MP4 either; the libav that PyAV has can."""
    async with archive(tmp_path) as found:
        url = f"http://127.0.0.1:{found.daemon.port}/recordings/film.m3u8?{times(0, 200)}"
        process = await asyncio.create_subprocess_exec(
            *("ffmpeg", "-v", "warning", "-i", url, "-s", "16x16", "-pix_fmt", "gray", "-f", "rawvideo", "-"),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        pictures, errors = await process.communicate()
        assert (process.returncode, errors, len(pictures) // 256) == (0, b"", 18 * 30)
        for wanted, shown in ((9.5, 8.0), (1.0, 0.0), (17.0, 14.0)):
            duration, picture = await asyncio.to_thread(seek, url, wanted)
            assert duration == pytest.approx(18, abs=0.05)
            assert shown <= picture + 0.001 <= wanted + 0.002


async def test_timelapse_is_no_part_of_a_film(tmp_path):
    async with archive(tmp_path) as found:
        first, second, _ = found.rig.files.names()
    (found.rig.files.path / second).rename(found.rig.files.path / second.replace(".mp4", "_timelapse.mp4"))
    async with served(tmp_path, "test", *SETTINGS) as found.daemon:
        assert set(re.findall(r"\n(\S+)/\d+_", await found.film(0, 14))) == {first}


async def test_damaged_file_is_left_out_of_films_and_exports(tmp_path, caplog):
    async with archive(tmp_path) as found:
        first, second, third = found.rig.files.names()
    path = found.rig.files.path / second
    data = bytearray(path.read_bytes())
    place = data.rindex(b"stsc") + 8
    data[place : place + 4] = bytes(4)
    path.write_bytes(data)
    async with served(tmp_path, "test", *SETTINGS) as found.daemon:
        for _ in range(2):
            assert set(re.findall(r"\n(\S+)/\d+_", await found.film(0, 200))) == {first, third}
        status, data, _ = await found.get("recordings/export.mp4?" + times(0, 200))
        assert (status, frames(data)) == (200, 12 * 30)
    assert [second in record.message for record in caplog.records if "left out" in record.message] == [True]


@needs_ffprobe
async def test_export_is_one_file_with_ranges(tmp_path):
    async with archive(tmp_path) as found:
        path = "recordings/export.mp4?" + times(2.5, 11.2)
        status, data, headers = await found.get(path)
        assert (status, headers["Content-Type"], int(headers["Content-Length"])) == (200, "video/mp4", len(data))
        assert re.match(
            r'attachment; filename="20\d\d-\d\d-\d\d \d\d\.\d\d\.02 to \d\d\.\d\d\.12\.mp4"',
            headers["Content-Disposition"],
        )
        file = tmp_path / "export.mp4"
        file.write_bytes(data)
        result = probe(file)
        video, audio = result["streams"]
        assert int(video["nb_read_frames"]) == 10 * 30  # from 2 s to 12 s: the fragments around it
        assert float(result["format"]["duration"]) == pytest.approx(10, abs=0.05)
        assert float(audio["duration"]) == pytest.approx(float(video["duration"]), abs=0.05)
        for wanted in ("bytes=0-99", "bytes=100-", f"bytes={len(data) // 2}-{len(data) // 2 + 300_000}", "bytes=-70"):
            first, _, last = wanted[6:].partition("-")
            begin = int(first) if first else len(data) - int(last)
            end = min(int(last) + 1, len(data)) if first and last else len(data)
            status, part, headers = await found.get(path + "&inline", Range=wanted)
            assert (status, part) == (206, data[begin:end])
            assert headers["Content-Disposition"].startswith("inline")
        tag = headers["ETag"]
        assert (await found.get(path, Range="bytes=5-9", If_Range=tag))[0] == 206
        assert (await found.get(path, Range="bytes=5-9", If_Range='"other"'))[:2] == (200, data)
        assert (await found.get(path, Range=f"bytes={len(data)}-"))[0] == 416
        status, body, headers = await request(found.daemon.port, "HEAD", f"/{path}")
        assert (status, body, int(headers["Content-Length"])) == (200, b"", len(data))


async def test_export_over_a_change_of_the_format_says_when(tmp_path):
    async with archive(tmp_path) as found:
        second = found.rig.files.path / found.rig.files.names()[1]
        data = bytearray(second.read_bytes())
        place = data.index(b"avcC") + 4 + 8  # the first SPS
        data[place + 4] ^= 0  # the same size
        data[data.index(b"\x68", place + 5) + 1] ^= 0x01  # another PPS
        second.write_bytes(data)
        status, text, _ = await found.get("recordings/export.mp4?" + times(0, 12))
        assert status == 409
        assert b"format changes at 2026-03-01 " in text
        assert (await found.get("recordings/export.mp4?" + times(0, 7)))[0] == 200


async def test_thumbnails(tmp_path):
    async with archive(tmp_path) as found:
        name = found.rig.files.names()[0]
        path = f"recordings/{name}/picture.jpg"
        status, first, headers = await found.get(path)
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        with av.open(io.BytesIO(first), format="jpeg_pipe") as file:
            assert next(file.decode(video=0)).width == 320
        assert "max-age" in headers["Cache-Control"]
        assert (await found.get(path, If_None_Match=headers["ETag"]))[0] == 304
        assert (await found.get(f"{path}?at=0.4"))[1] == first
        assert (await found.get(f"{path}?at=7"))[0] == 200
        assert (await found.get(f"{path}?at=1000000"))[0] == 200
        for at in ("nan", "-1", "1e9", "x", "inf"):
            assert (await found.get(f"{path}?at={at}"))[0] == 400
        assert (await found.get("recordings/000009_2026-03-01T12-00-00Z.mp4/picture.jpg"))[0] == 404


async def test_damaged_and_missing_files_hide_nothing(tmp_path):
    async with archive(tmp_path) as found:
        first, second, third = found.rig.files.names()
        (found.rig.files.path / first).write_bytes(b"\0" * 10_000)
        (found.rig.files.path / second).unlink()
        assert set(re.findall(r"\n(\S+)/\d+_", await found.film(0, 200))) == {third}
        for name, reason in ((first, b"damaged"), (second, b"cannot be read")):
            for resource in ("picture.jpg", "init.mp4"):
                status, text, _ = await found.get(f"recordings/{name}/{resource}")
                assert (status, reason in text) == (404, True), text
        assert (await found.get(f"recordings/{second}"))[0] == 404
        (found.rig.files.path / second).symlink_to(found.rig.files.path / third)
        assert (await found.get(f"recordings/{second}"))[0] == 404
        assert (await found.get(f"recordings/{second}/init.mp4"))[0] == 404
        assert (await found.get("recordings/export.mp4?" + times(0, 20)))[0] == 404


@pytest.mark.parametrize(
    "query",
    ["", "from=5", "from=9&to=5", "from=5&to=5", "from=nan&to=9", "from=-inf&to=9", "from=0&to=1e300", "from=a&to=b"],
)
async def test_impossible_ranges_are_refused(tmp_path, query):
    async with archive(tmp_path) as found:
        for path in ("film.m3u8", "export.mp4"):
            assert (await found.get(f"recordings/{path}?{query}"))[0] == 400
        ten_years = times(-5 * 365 * 86_400, 5 * 365 * 86_400)
        assert (await found.get(f"recordings/film.m3u8?{ten_years}"))[0] == 400
        assert len(json.loads((await found.get(f"api/recordings?{ten_years}"))[1])["recordings"]) == 3


async def test_only_the_operator_by_default(tmp_path):
    async with archive(tmp_path, f"web.operator_token={TOKEN}") as found:
        name = found.rig.files.names()[0]
        watching = [
            "api/recordings", f"recordings/{name}", f"recordings/{name}/picture.jpg", f"recordings/{name}/init.mp4",
            "recordings/film.m3u8?" + times(0, 9), "recordings/export.mp4?" + times(0, 9),
        ]  # fmt: skip
        status, answer = await found.post("api/recordings/access", {}, **OWN)
        assert status == 200
        for path in watching:
            code = f"{'&' if '?' in path else '?'}access={answer['access']}"
            assert (await found.get(path))[0] == 401
            assert (await found.get(path, **OWN))[0] == 200
            assert (await found.get(path + code))[0] == 200
            assert (await found.get(path + code[:-2]))[0] == 401
        assert not json.loads((await found.get(f"api/recordings?access={answer['access']}"))[1])["change"]
        text = await found.film(0, 20, access=answer["access"])
        addresses = [line for line in text.splitlines() if ".mp4" in line]
        assert addresses
        assert all(f"?access={answer['access']}" in address for address in addresses)
        for path, body in (
            ("api/recordings/access", {}), ("api/recordings/access", {"token": TOKEN}), ("api/recordings/shares", {}),
            (f"api/recordings/{name}", {"kept": True}),
        ):  # fmt: skip
            assert (await found.post(path, body))[0] == 401
            assert (await found.post(f"{path}?access={answer['access']}", body))[0] == 401


async def test_viewers_may_watch_and_not_change_if_allowed(tmp_path):
    token = "viewer-token-of-twenty-characters"
    settings = ("record.viewers=true", f"web.operator_token={TOKEN}", f"web.viewer_token={token}")
    async with archive(tmp_path, *settings) as found:
        assert (await found.get("api/recordings"))[0] == 401
        assert (await found.post("api/recordings/access", {"token": "wrong"}))[0] == 401
        assert (await found.post("api/recordings/access", {"token": 5}))[0] == 400
        status, answer = await found.post("api/recordings/access", {"token": token})
        assert status == 200
        assert answer["until"] == pytest.approx(time.time() + 12 * 3600, abs=60)
        listed = json.loads((await found.get(f"api/recordings?access={answer['access']}"))[1])
        assert (len(listed["recordings"]), listed["change"]) == (3, False)


async def test_everybody_may_watch_if_viewers_need_no_token(tmp_path):
    async with archive(tmp_path, "record.viewers=true", f"web.operator_token={TOKEN}") as found:
        listed = json.loads((await found.get("api/recordings"))[1])
        assert (len(listed["recordings"]), listed["change"]) == (3, False)
        assert json.loads((await found.get("api/recordings", **OWN))[1])["change"]
        assert (await found.get("recordings/export.mp4?" + times(0, 5)))[0] == 200
        assert (await request(found.daemon.port, "DELETE", f"/api/recordings/{listed['recordings'][0]['name']}"))[
            0
        ] == 401


async def test_share_plays_one_range_until_it_ends(tmp_path):
    async with archive(tmp_path, f"web.operator_token={TOKEN}") as found:
        body = {"from": NOON + 2, "to": NOON + 5.5, "hours": 2}
        status, answer = await found.post("api/recordings/shares", body, **OWN)
        assert status == 200
        assert answer["until"] == pytest.approx(time.time() + 7200, abs=60)
        status, data, headers = await found.get(answer["path"])
        assert (status, frames(data)) == (200, 4 * 30)
        assert headers["Content-Disposition"].startswith("inline")
        assert (await found.get(answer["path"], Range="bytes=10-19"))[:2] == (206, data[10:20])
        assert (await found.get(answer["path"] + "?download"))[2]["Content-Disposition"].startswith("attachment")
        for forged in (
            answer["path"][:-5] + ".mp4",
            answer["path"].replace("shared/", "shared/A"),
            "recordings/shared/x.mp4",
        ):
            assert (await found.get(forged))[0] == 404
        for wrong in ({"hours": 0}, {"hours": 1e9}, {"hours": "x"}, {"to": NOON}, {"from": None}, {"name": 5}):
            assert (await found.post("api/recordings/shares", body | wrong, **OWN))[0] in (400, 404)
        assert (await found.post("api/recordings/shares", body | {"from": NOON + 900, "to": NOON + 950}, **OWN))[
            0
        ] == 404


async def test_share_of_a_file_survives_a_new_name_and_not_a_new_key(tmp_path):
    async with archive(tmp_path) as found:
        name = found.rig.files.names()[0]
        data = (found.rig.files.path / name).read_bytes()
        _, answer = await found.post("api/recordings/shares", {"name": name, "hours": 1})
        assert (await found.get(answer["path"]))[:2] == (200, data)
        _, kept = await found.post(f"api/recordings/{name}", {"kept": True})
        assert (await found.get(answer["path"]))[:2] == (200, data)
        await request(found.daemon.port, "DELETE", f"/api/recordings/{kept['name']}")
        assert (await found.get(answer["path"]))[0] == 404
        _, answer = await found.post("api/recordings/shares", {"name": found.rig.files.names()[0], "hours": 1})
        (key,) = tmp_path.rglob("link_key")
        key.write_text("another-key-of-sufficient-length\n")
        assert (await found.get(answer["path"]))[0] == 404


async def test_share_of_a_deleted_file_gives_no_other_file_with_its_number(tmp_path):
    async with archive(tmp_path) as found:
        name = found.rig.files.names()[0]
        _, answer = await found.post("api/recordings/shares", {"name": name, "hours": 1})
        assert (await found.get(answer["path"]))[0] == 200
    for old in found.rig.files.path.glob("*.mp4"):
        if old.name == name:
            old.rename(old.with_name(name.replace("T12-00-00", "T13-00-00")))
        else:
            old.unlink()
    async with served(tmp_path, "test", *SETTINGS) as found.daemon:
        (other,) = json.loads((await found.get("api/recordings"))[1])["recordings"]
        assert other["number"] == int(name[:6])
        assert (await found.get(answer["path"]))[0] == 404


async def test_access_code_ends_with_its_link(tmp_path):
    settings = ("record.viewers=true", f"web.operator_token={TOKEN}", "web.links=true")
    async with archive(tmp_path, *settings) as found:
        links = [(await found.post("api/owner/links", {"hours": 1}, **OWN))[1]]
        links.append((await found.post("api/owner/links", {"hours": 2}, **OWN))[1])
        codes = [(await found.post("api/recordings/access", {"token": link["token"]}))[1]["access"] for link in links]
        for code in codes:
            assert (await found.get(f"api/recordings?access={code}"))[0] == 200
        await request(found.daemon.port, "DELETE", f"/api/owner/links/{links[0]['id']}", **OWN)
        statuses = [(await found.get(f"api/recordings?access={code}"))[0] for code in codes]
        assert statuses == [401, 200]


async def test_stalled_download_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(ranged_file, "STALL_LIMIT", 0.3)
    async with archive(tmp_path) as found:
        path = found.rig.files.path / found.rig.files.names()[0]
        os.truncate(path, 256 << 20)  # more than the kernel buffers
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", found.daemon.port))
            client.sendall(f"GET /recordings/{path.name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await until(lambda: is_open(path))
            await until(lambda: not is_open(path))


def is_open(path: Path) -> bool:
    """Return whether this process has the file open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(descriptor.readlink())
    return path in found


async def test_a_thousand_requests_for_thumbnails_at_once(tmp_path):
    """Each picture is made once; the daemon goes on to answer."""
    async with archive(tmp_path) as found:
        names = found.rig.files.names()

        async def get(number: int) -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", found.daemon.port)
            path = f"/recordings/{names[number % 3]}/picture.jpg?at={number % 4}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return int(answer.split(b" ", 2)[1]) if answer else 0

        statuses = await asyncio.gather(*(get(number) for number in range(1000)), return_exceptions=True)
        assert 200 in statuses
        assert {status for status in statuses if isinstance(status, int)} <= {0, 200, 503}
        assert (await found.get("healthz"))[0] == 200


async def test_list_tells_clock_space_and_retention_and_a_renamed_file_goes_on(tmp_path):
    async with archive(tmp_path, "record.keep_bytes=123456789") as found:
        status, body, _ = await found.get("api/recordings")
        answer = json.loads(body)
        assert status == 200
        assert abs(answer["now"] - time.time()) < 60
        assert answer["utc_offset"] == time.localtime(answer["now"]).tm_gmtoff
        assert answer["recorder"].keys() == {"mode", "state", "problem"}
        assert answer["storage"]["keep_bytes"] == 123456789
        assert answer["storage"]["files"] == len(answer["recordings"])
        assert answer["storage"]["bytes"] >= sum(one["size"] for one in answer["recordings"]) > 0
        name = found.rig.files.names()[0]
        segment = next(line for line in (await found.film(0, 8)).splitlines() if line.startswith(name))
        assert (await found.post(f"api/recordings/{name}", {"kept": True}))[0] == 200
        for path in (name, segment, f"{name}/init.mp4", f"{name}/picture.jpg"):
            assert (await found.get(f"recordings/{path}"))[0] == 200  # it may be playing
        status, _ = await found.post(f"api/recordings/{name}", {"kept": False})
        assert status == 404
