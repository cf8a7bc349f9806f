"""The page over real HTTP: files, content types, headers, and its folder."""

import asyncio
import base64
import hashlib
import re
from pathlib import Path

import pytest
from yarl import URL

from broadcaster.web import page
from broadcaster.web.document import Document
from broadcaster.web.linker import LinkError
from broadcaster.web.page import Page, viewer_folder
from tests.edges.web_rig import served


async def test_the_page_is_served_with_security_headers() -> None:
    async with served(origins=("https://site.example",)) as rig, rig.client.get(rig.url) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        html = await response.text()
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        for feature in ("camera", "microphone", "geolocation", "display-capture"):
            assert f"{feature}=()" in response.headers["Permissions-Policy"]
        host = f"127.0.0.1:{rig.server.port}"
        assert response.headers["Content-Security-Policy"].split("; ") == [
            "default-src 'none'",
            f"script-src 'self' {' '.join(hashes('script', html))}",
            f"style-src 'self' {' '.join(hashes('style', html))}",
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            f"connect-src 'self' ws://{host} wss://{host}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self' https://site.example",
        ]


async def test_the_page_of_recordings_is_served_and_may_not_be_framed() -> None:
    async with served(origins=("https://site.example",)) as rig:
        async with rig.client.get(f"{rig.url}/recordings") as response:
            assert (response.status, response.content_type) == (200, "text/html")
            assert "<recordings-view" in await response.text()
            policy = response.headers["Content-Security-Policy"].split("; ")
            assert {"script-src 'self'", "style-src 'self'", "media-src 'self' blob:"} <= set(policy)
            assert "https://site.example" not in policy[-1]
        async with rig.client.get(f"{rig.url}/viewer/recordings/recordings-view.mjs") as response:
            assert (response.status, response.content_type) == (200, "text/javascript")


def hashes(tag: str, html: str) -> list[str]:
    """Return the sources that allow the inline elements of a page (CSP 3 §2.3.1)."""
    digests = [hashlib.sha256(text.encode()).digest() for text in re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)]
    assert digests
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


async def test_the_page_is_one_document_and_other_responses_allow_no_inline_code() -> None:
    async with served() as rig:
        async with rig.client.get(rig.url) as response:
            assert await response.text() == Document(viewer_folder(), "index.html").html
        for path in ("/viewer/style.css", "/viewer/missing.css", "/api/status"):
            async with rig.client.get(rig.url + path) as response:
                assert "sha256" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip, deflate, br", True),
        ("", False),
        ("br", False),
        ("gzip;q=0, br", False),
        ("gzip;q=0.5", True),
    ],
)
async def test_the_page_is_compressed_if_accepted(accepted: str, is_compressed: bool) -> None:
    async with served() as rig, rig.client.get(rig.url, headers={"Accept-Encoding": accepted}) as response:
        assert response.headers.get("Content-Encoding") == ("gzip" if is_compressed else None)
        assert response.headers["Vary"] == "Accept-Encoding"
        assert "<live-view" in await response.text()
        assert int(response.headers["Content-Length"]) < 20_000 or not is_compressed


async def test_an_unchanged_page_is_not_sent_again() -> None:
    async with served() as rig:
        tags = []
        for encoding in ("gzip", "identity"):
            async with rig.client.get(rig.url, headers={"Accept-Encoding": encoding}) as response:
                tags.append(response.headers["ETag"])
                policy = response.headers["Content-Security-Policy"]
        assert tags[0] != tags[1]
        async with rig.client.get(rig.url, headers={"Accept-Encoding": "gzip", "If-None-Match": tags[0]}) as response:
            assert response.status == 304
            assert response.headers["Content-Security-Policy"] == policy  # it replaces that of the stored page
        async with rig.client.get(rig.url, headers={"Accept-Encoding": "gzip", "If-None-Match": tags[1]}) as response:
            assert response.status == 200


async def test_later_modules_are_linked() -> None:
    async with served() as rig:
        for name, text in Document(viewer_folder(), "index.html").modules.items():
            async with rig.client.get(f"{rig.url}/viewer/linked/{name}") as response:
                assert (response.status, response.content_type) == (200, "text/javascript")
                assert await response.text() == text
        async with rig.client.get(f"{rig.url}/viewer/linked/viewer.mjs") as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"index.html": '<link rel="stylesheet" href="viewer/a.css">'}, "a.css: No such file"),
        ({"index.html": '<script type="module" src="viewer/a.mjs"></script>', "a.mjs": "export default 1;\n"}, "a.mjs"),
        ({}, "index.html: No such file"),
    ],
)
def test_a_page_that_cannot_be_made_is_an_error_at_start(files: dict[str, str], why: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(LinkError, match=re.escape(why)):
        Page(tmp_path)


async def test_files_are_served_with_their_content_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "icons").mkdir()
    for name in ("index.html", "a.js", "b.mjs", "c.css", "icons/d.svg", "secret.env", "x.py"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr("broadcaster.web.routes.viewer_folder", lambda: tmp_path)
    types = {"a.js": "text/javascript", "b.mjs": "text/javascript", "c.css": "text/css", "icons/d.svg": "image/svg+xml"}
    async with served() as rig:
        for name, content_type in types.items():
            async with rig.client.get(f"{rig.url}/viewer/{name}") as response:
                assert (response.status, response.content_type) == (200, content_type)
                assert response.headers["Cache-Control"] == "no-cache"
                etag = response.headers["ETag"]
            async with rig.client.get(f"{rig.url}/viewer/{name}", headers={"If-None-Match": etag}) as response:
                assert response.status == 304
        for name in ("secret.env", "x.py", "icons", "missing.js", "a" * 5000 + ".js", "%00.js"):
            async with rig.client.get(f"{rig.url}/viewer/{name}") as response:
                assert response.status in (400, 404)


@pytest.mark.parametrize(
    "name", ["%C3%A9" * 190 + ".js", "%ED%A0%80.js", "%FF.js", "a/" * 90 + "b.js", "index.html/a.js"]
)
async def test_impossible_file_names_are_not_found(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as rig, rig.client.get(URL(f"{rig.url}/viewer/{name}", encoded=True)) as response:
        assert response.status == 404
    assert not caplog.records


@pytest.mark.parametrize(
    "path",
    [
        "/viewer/../outside.js",
        "/viewer/%2e%2e/outside.js",
        "/viewer/..%2foutside.js",
        "/viewer/%2e%2e%2foutside.js",
        "/viewer//etc/passwd",
        "/viewer/%2fetc%2fpasswd",
        "/viewer/link.js",
    ],
)
async def test_files_outside_the_folder_are_not_served(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "viewer"
    folder.mkdir()
    (tmp_path / "outside.js").write_text("secret")
    (folder / "index.html").touch()
    (folder / "link.js").symlink_to(tmp_path / "outside.js")
    monkeypatch.setattr("broadcaster.web.routes.viewer_folder", lambda: folder)
    async with served() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 404")
        assert b"secret" not in answer


@pytest.mark.parametrize("name", ["jsconfig.json", "types.d.ts"])
async def test_files_for_the_type_checker_are_not_served(name: str) -> None:
    assert (viewer_folder() / name).is_file()
    async with served() as rig, rig.client.get(f"{rig.url}/viewer/{name}") as response:
        assert response.status == 404


def test_the_folder_in_a_checkout_is_found() -> None:
    assert (viewer_folder() / "index.html").is_file()


def test_the_folder_in_a_wheel_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "viewer").mkdir()
    monkeypatch.setattr(page, "__file__", str(tmp_path / "page.py"))
    assert viewer_folder() == tmp_path / "viewer"
