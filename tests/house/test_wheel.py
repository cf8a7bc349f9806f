"""The wheel is whole: installed elsewhere, it serves the page."""

import os
import re
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.house.project import ROOT

PAGE = sorted(path.name for path in (ROOT / "viewer").iterdir() if path.suffix in (".html", ".css", ".mjs", ".svg"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the unpacked wheel, far from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, cwd=folder)
    (wheel,) = folder.glob("pi_broadcaster-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def address(installed, tmp_path):
    """Where the daemon of the wheel serves."""
    chosen = [
        "web.port=0",
        "web.host=127.0.0.1",
        "video.source=test",
        "audio.source=none",
        f"stream.state_dir={tmp_path}",
    ]
    command = [sys.executable, "-m", "broadcaster", "run", *(part for text in chosen for part in ("--set", text))]
    with subprocess.Popen(
        command, cwd=tmp_path, env=_environment(installed), stdout=subprocess.PIPE, text=True
    ) as daemon:
        found = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in daemon.stdout)
        yield next((match[0] for match in found if match), None)
        daemon.terminate()


def test_it_carries_every_file_of_the_page(installed):
    carried = {path.name: path.read_bytes() for path in (installed / "broadcaster/web/viewer").iterdir()}
    assert carried == {path.name: path.read_bytes() for path in (ROOT / "viewer").iterdir() if path.is_file()}


def test_it_is_typed_and_runs(installed, tmp_path):
    assert (installed / "broadcaster/py.typed").exists()
    where = [sys.executable, "-c", "import broadcaster; print(broadcaster.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=_environment(installed), capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(installed)


def test_its_daemon_serves_the_page(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.read() == (ROOT / "viewer/index.html").read_bytes()
    for name in PAGE:
        with urllib.request.urlopen(f"{address}viewer/{name}", timeout=10) as answer:
            assert answer.read() == (ROOT / "viewer" / name).read_bytes()


def _environment(installed: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(installed)}
