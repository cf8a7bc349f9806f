"""The whole daemon with its recorder: API, command line, status, the button; and nothing of it if it is off."""

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from broadcaster.auth.shares import read_share
from broadcaster.devices.panel import button
from tests.edges.app_rig import served
from tests.edges.recording_rig import Files
from tests.rigs.http import request
from tests.rigs.light import LightViewer
from tests.rigs.panel import panel_rig

RECORD = ("record.mode=demand", "record.keep_free=0")


async def post(port: int, body: object, **headers: str) -> tuple[int, Any]:
    """Return status and answer of `POST /api/record`."""
    status, answer, _ = await request(port, "POST", "/api/record", body, **headers)
    return status, json.loads(answer) if status == 200 else answer.decode()


async def seconds_in_memory(daemon, seconds: float) -> None:
    async with asyncio.timeout(20):
        while (await daemon.until("live"))["recorder"]["in_memory"] < seconds:
            await asyncio.sleep(0.1)


async def test_recording_and_clips_over_http(tmp_path):
    files = Files(tmp_path / "recordings")
    async with served(tmp_path, "test", *RECORD, "audio.source=test") as daemon:
        await seconds_in_memory(daemon, 2)
        code, answer = await post(daemon.port, {"clip": True})
        assert code == 200
        (clip,) = answer["clip"]["files"]
        assert files.duration(clip) == pytest.approx(answer["clip"]["duration"], abs=0.01)
        code, answer = await post(daemon.port, {"record": True})
        assert (code, answer["recorder"]["mode"]) == (200, "demand")
        async with asyncio.timeout(20):
            while (await daemon.until("live"))["recorder"]["state"] != "recording":
                await asyncio.sleep(0.1)
        await post(daemon.port, {"record": False})
        status = await daemon.until("live")
        assert status["recorder"]["state"] == "off"
        for body in ({}, [], {"record": 1}, {"clip": False}, "clip"):
            assert (await post(daemon.port, body))[0] == 400
    recorded = next(name for name in files.names() if name != clip)
    assert files.duration(recorded) >= 2


async def test_only_the_operator_controls_the_recorder_and_gets_recordings(tmp_path):
    token = "orchard-gravel-topaz-nine"
    async with served(tmp_path, "test", *RECORD, f"web.operator_token={token}") as daemon:
        own = {"Authorization": f"Bearer {token}"}
        for headers, expected in (({}, 401), (own, 200), (own | {"Origin": "https://example.org"}, 403)):
            assert (await post(daemon.port, {"record": False}, **headers))[0] == expected
        name = "000001_2026-03-01T12-00-00Z.mp4"
        for method, path in (
            ("GET", "/api/recordings"), ("GET", f"/recordings/{name}"), ("DELETE", f"/api/recordings/{name}"),
            ("POST", f"/api/recordings/{name}"),
        ):  # fmt: skip
            assert (await request(daemon.port, method, path, {} if method == "POST" else None))[0] == 401
        assert (await request(daemon.port, "DELETE", f"/api/recordings/{name}", Origin="null", **own))[0] == 403


async def test_recordings_are_listed_downloaded_kept_and_deleted(tmp_path):
    files = Files(tmp_path / "recordings")
    async with served(tmp_path, "test", *RECORD) as daemon:
        await seconds_in_memory(daemon, 2)
        await post(daemon.port, {"clip": True})
        listed = json.loads((await request(daemon.port, "GET", "/api/recordings"))[1])["recordings"]
        (clip,) = listed
        data = (files.path / clip["name"]).read_bytes()
        assert (clip["size"], clip["kept"], clip["open"]) == (len(data), True, False)
        status, body, headers = await request(daemon.port, "GET", f"/recordings/{clip['name']}")
        assert (status, body, headers["Content-Type"]) == (200, data, "video/mp4")
        status, body, headers = await request(
            daemon.port, "GET", f"/recordings/{clip['name']}?download", Range="bytes=100-199"
        )
        assert (status, body) == (206, data[100:200])
        assert headers["Content-Range"] == f"bytes 100-199/{len(data)}"
        assert headers["Content-Disposition"].startswith('attachment; filename="20')
        for wanted, part in (("bytes=-50", data[-50:]), ("bytes=300-", data[300:]), ("bytes=0-99999999", data)):
            answer = await request(daemon.port, "GET", f"/recordings/{clip['name']}", Range=wanted)
            assert answer[:2] == (206, part)
        for wanted in (f"bytes={len(data)}-", "bytes=9-5", "lines=1-2", "bytes=0-1,4-5"):
            status, _, headers = await request(daemon.port, "GET", f"/recordings/{clip['name']}", Range=wanted)
            assert (status, headers["Content-Range"]) == (416, f"bytes */{len(data)}")
        status, body, headers = await request(daemon.port, "HEAD", f"/recordings/{clip['name']}")
        assert (status, body, headers["Content-Length"]) == (200, b"", str(len(data)))
        path = f"/api/recordings/{clip['name']}"
        assert (await request(daemon.port, "POST", path, {"kept": 1}))[0] == 400
        released = json.loads((await request(daemon.port, "POST", path, {"kept": False}))[1])
        assert (released["kept"], files.names()) == (False, [released["name"]])
        assert (await request(daemon.port, "GET", f"/recordings/{clip['name']}"))[
            1
        ] == data  # a browser may be playing it
        assert (await request(daemon.port, "DELETE", f"/api/recordings/{released['name']}"))[0] == 204
        assert not files.names()
        assert (await request(daemon.port, "DELETE", f"/api/recordings/{released['name']}"))[0] == 404


async def listed(port: int, query: str = "") -> Any:
    answer = json.loads((await request(port, "GET", f"/api/recordings{query}"))[1])
    return {name: answer[name] for name in ("recordings", "gaps", "marks", "change")}


async def test_marks_and_ranges_of_the_list(tmp_path):
    async with served(tmp_path, "test", "record.mode=live", "record.keep_free=0") as daemon:
        async with asyncio.timeout(20):
            while (await daemon.until("live"))["recorder"]["state"] != "recording":
                await asyncio.sleep(0.1)
        code, answer = await post(daemon.port, {"mark": True})
        assert code == 200
        mark = answer["mark"]
        everything = await listed(daemon.port)
        (recording,) = everything["recordings"]
        assert everything | {"recordings": []} == {"recordings": [], "gaps": [], "marks": [mark], "change": True}
        assert await listed(daemon.port, f"?from={mark - 0.5}&to={mark + 0.5}") == everything
        before = await listed(daemon.port, f"?to={recording['started'] - 1}")
        assert (before["recordings"], before["marks"]) == ([], [])
        for query in ("?from=nan", "?from=5&to=5", "?from=9&to=5", "?to=inf", "?from=x", "?to=1e300", "?from=-1"):
            assert (await request(daemon.port, "GET", f"/api/recordings{query}"))[0] == 400
        path = f"/api/recordings/marks/{mark}"
        assert (await request(daemon.port, "DELETE", path, Origin="https://example.org"))[0] == 403
        assert [(await request(daemon.port, "DELETE", path))[0] for _ in range(2)] == [204, 404]
        await post(daemon.port, {"record": False})
        code, answer = await post(daemon.port, {"mark": True})
        assert code == 409
        assert "No mark: nothing is being recorded." in answer


async def test_recording_that_is_being_written_can_be_kept_but_not_deleted(tmp_path):
    files = Files(tmp_path / "recordings")
    async with served(tmp_path, "test", "record.mode=live", "record.keep_free=0") as daemon:
        async with asyncio.timeout(20):
            while not files.names():
                await asyncio.sleep(0.1)
        path = f"/api/recordings/{files.names()[0]}"
        assert (await request(daemon.port, "DELETE", path))[0] == 409
        kept = json.loads((await request(daemon.port, "POST", path, {"kept": True}))[1])
        assert (kept["kept"], kept["open"]) == (True, True)
        assert files.names() == [kept["name"]]
    assert len(files.durations()) == 1


async def test_share_of_what_is_being_written_ends_at_its_making(tmp_path):
    files = Files(tmp_path / "recordings")
    async with served(tmp_path, "test", "record.mode=live", "record.keep_free=0") as daemon:
        status = 404
        async with asyncio.timeout(30):
            while status == 404:  # nothing is on the disk yet
                await asyncio.sleep(0.2)
                body = {"name": files.names()[0] if files.names() else "", "hours": 1}
                status, answer, _ = await request(daemon.port, "POST", "/api/recordings/shares", body)
        made = time.time()
        path = json.loads(answer)["path"]
        assert (await request(daemon.port, "GET", f"/{path}"))[0] == 200
    (key,) = tmp_path.rglob("link_key")
    share = read_share(path.removeprefix("recordings/shared/").removesuffix(".mp4"), key.read_text().strip())
    assert share is not None
    assert share.number == 0
    assert share.start < share.end <= made * 1000 + 1


@pytest.mark.parametrize("name", ["..%2Foutside.mp4", "film.mp4", ".index.sqlite", "000009_2026-03-01T12-00-00Z.mp4"])
async def test_nothing_but_recordings_is_sent(tmp_path, name):
    folder = tmp_path / "recordings"
    folder.mkdir()
    (tmp_path / "outside.mp4").write_bytes(b"secret")
    (folder / "film.mp4").write_bytes(b"secret")
    (folder / "000009_2026-03-01T12-00-00Z.mp4").symlink_to(tmp_path / "outside.mp4")
    async with served(tmp_path, "test", *RECORD) as daemon:
        assert (await request(daemon.port, "GET", f"/recordings/{name}"))[0] == 404
        assert (await request(daemon.port, "DELETE", f"/api/recordings/{name}"))[0] == 404
    assert (tmp_path / "outside.mp4").exists()


async def test_file_of_a_live_stream_is_complete_after_a_stop_of_the_daemon(tmp_path):
    files = Files(tmp_path / "elsewhere")
    async with served(
        tmp_path, "test", "record.mode=live", "record.keep_free=0", f"record.folder={files.path}"
    ) as daemon:
        await seconds_in_memory(daemon, 1)
    assert [duration > 1 for duration in files.durations()] == [True]


async def test_recorder_that_is_off_says_so(tmp_path):
    async with served(tmp_path, "test") as daemon:
        assert "recorder" not in await daemon.until("live")
        code, answer = await post(daemon.port, {"clip": True})
        assert code == 409
        assert "record.mode" in answer
        for method, path in (
            ("GET", "/api/recordings"),
            ("DELETE", "/api/recordings/x"),
            ("POST", "/api/recordings/clips"),
        ):
            code, body, _ = await request(daemon.port, method, path, {} if method == "POST" else None)
            assert (code, b"record.mode" in body) == (409, True)
        assert (await request(daemon.port, "GET", "/recordings/film.m3u8"))[0] == 404


def test_recorder_is_not_loaded_with_the_daemon():
    program = "import sys, broadcaster.app; print(*(name for name in sys.modules if 'recording' in name))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


async def test_held_button_saves_a_clip_and_the_light_confirms_it(tmp_path, monkeypatch):
    monkeypatch.setattr(button, "CLIP_HOLD", 0.3)
    files = Files(tmp_path)
    async with (
        panel_rig("panel.hold_action=clip", *RECORD, f"record.folder={tmp_path}") as rig,
        LightViewer(rig.port) as viewer,
    ):
        await viewer.message("welcome")
        await rig.press()
        await viewer.message("stream", limit=10, state="live")
        await rig.wait_for_lamp(True, 1)
        pressed = await rig.press(0.5)
        async with asyncio.timeout(10):
            while rig.dark_since(pressed) is None:  # it flickers when the clip is on the disk
                await asyncio.sleep(0.01)
        assert files.durations()[0] > 0.5
    assert "_kept" in files.names()[0]


async def test_held_button_without_a_stream_only_logs_why(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(button, "CLIP_HOLD", 0.3)
    async with panel_rig("panel.hold_action=clip", *RECORD, f"record.folder={tmp_path}") as rig:
        await rig.press(0.5)
        async with asyncio.timeout(10):
            while "no clip saved" not in caplog.text:
                await asyncio.sleep(0.01)
    assert not Files(tmp_path).names()
