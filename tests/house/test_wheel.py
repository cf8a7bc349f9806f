"""The wheel is complete: installed outside the checkout, it serves the page and installs the service."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

from broadcaster.cli.install import rebuild_wheel
from broadcaster.web.document import Document
from tests.house.project import ROOT

PAGE = sorted(path.name for path in (ROOT / "viewer").iterdir() if path.suffix in (".html", ".css", ".mjs", ".svg"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the unpacked wheel, outside the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, cwd=folder)
    (wheel,) = folder.glob("pi_broadcaster-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def url(installed, tmp_path):
    """The URL of a daemon that runs from the wheel."""
    assignments = [
        "web.port=0",
        "web.host=127.0.0.1",
        "video.source=test",
        "audio.source=none",
        f"stream.state_dir={tmp_path}",
    ]
    command = [sys.executable, "-m", "broadcaster", "run", *(part for text in assignments for part in ("--set", text))]
    with subprocess.Popen(
        command, cwd=tmp_path, env=_environment(installed), stdout=subprocess.PIPE, text=True
    ) as daemon:
        matches = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in daemon.stdout)
        yield next((match[0] for match in matches if match), None)
        daemon.terminate()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_wheel_contains_the_page_without_type_checker_files(installed):
    page = {
        name: text for name, text in files(ROOT / "viewer").items() if not name.endswith(("jsconfig.json", ".d.ts"))
    }
    assert files(installed / "broadcaster/web/viewer") == page


def test_wheel_contains_the_service_files(installed):
    assert files(installed / "broadcaster/systemd") == files(ROOT / "systemd")


def test_rebuilt_wheel_equals_the_installed_one(installed, tmp_path):
    """`broadcaster install` rebuilds the wheel from the installed files, because its source may be gone."""
    site = tmp_path / "lib/python3/site-packages"
    shutil.copytree(installed, site)
    (info,) = site.glob("*.dist-info")
    (info / "INSTALLER").write_text("pip\n")
    with (info / "RECORD").open("a") as record:
        record.write(f"{info.name}/INSTALLER,,\n../../../bin/broadcaster,,\n")
    (distribution,) = distributions(path=[str(site)])
    wheel = rebuild_wheel(distribution, tmp_path)
    target = tmp_path / "target"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    assert files(target / "broadcaster") == files(installed / "broadcaster")
    assert (target / info.name / "METADATA").read_bytes() == (info / "METADATA").read_bytes()
    assert os.access(target / "bin/broadcaster", os.X_OK)


def test_installer_runs_without_a_checkout(installed, tmp_path):
    """As a user other than root, it prints the command to type."""
    fake = tmp_path / "id"
    fake.write_text("#!/bin/sh\necho 1000\n")
    fake.chmod(0o755)
    environment = _environment(installed) | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for name in ("install", "uninstall"):
        command = [sys.executable, "-m", "broadcaster", name]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr == (
            f"broadcaster: this changes the system. Please type: sudo {sys.executable} -m broadcaster {name}\n"
        )


def test_description_needs_no_repository(installed):
    """Package indexes show it: links must be absolute, and the diagram must be readable as plain text."""
    (metadata,) = installed.glob("*.dist-info/METADATA")
    headers, _, text = metadata.read_text("utf-8").partition("\n\n")
    assert "Description-Content-Type: text/markdown" in headers
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith(("https:", "http:", "#"))] == []
    assert "mermaid" not in text
    assert "live --> stopping: stop" in text


def test_metadata_names_author_and_requirements(installed):
    (metadata,) = installed.glob("*.dist-info/METADATA")
    headers = metadata.read_text("utf-8").partition("\n\n")[0]
    for name in ("Author", "Keywords", "Classifier: Framework", "Classifier: Intended Audience"):
        assert f"\n{name}" in headers
    assert set(re.findall("^Requires-Python: (.*)$", headers, re.MULTILINE)) <= {"<3.14,>=3.11", ">=3.11,<3.14"}


def test_wheel_is_typed_and_importable(installed, tmp_path):
    assert (installed / "broadcaster/py.typed").exists()
    command = [sys.executable, "-c", "import broadcaster; print(broadcaster.__file__)"]
    output = subprocess.run(
        command, cwd=tmp_path, env=_environment(installed), capture_output=True, text=True, check=True
    )
    assert Path(output.stdout.strip()).is_relative_to(installed)


def test_daemon_from_the_wheel_serves_the_page(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read().decode() == Document(ROOT / "viewer", "index.html").html
    for name in PAGE:
        with urllib.request.urlopen(f"{url}viewer/{name}", timeout=10) as answer:
            assert answer.read() == (ROOT / "viewer" / name).read_bytes()


def _environment(installed: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(installed)}
