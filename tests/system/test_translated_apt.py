"""`make install` under the languages of its users: apt's messages are translated, the installed packages are the same.

The libraries of camera and pins exist only in Raspberry Pi OS's archive; packages without content stand in for them,
in an archive inside the container, so that the installer asks the real apt about them.
"""

from __future__ import annotations

import hashlib

import pytest

from tests.system.container import Container

pytestmark = pytest.mark.long

ALWAYS = {"python3-venv", "alsa-utils"}
ON_BOARDS = {"python3-picamera2", "python3-lgpio"}
ARCHIVE = "srv/boards"
RECORD = "/opt/broadcaster/made"
LANGUAGES = {
    "C": {"LC_ALL": "C"},
    "de": {"LANG": "de_DE.UTF-8", "LANGUAGE": "de"},
    "de:en": {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de:en"},
    "zh_CN": {"LANG": "zh_CN.UTF-8", "LANGUAGE": "zh_CN:zh"},
}
CANDIDATE = {"C": "Candidate:", "de": "Installationskandidat:", "de:en": "Installationskandidat:", "zh_CN": "候选"}
"""How `apt-cache policy` names the version that it would install."""


@pytest.fixture(scope="module")
def boards(container) -> Container:
    """The container with the locales, and with an archive that has what Raspberry Pi OS's has."""
    for name in ("de_DE", "zh_CN"):
        container.run("localedef", "--inputfile", name, "--charmap", "UTF-8", f"{name}.UTF-8")
    index = "\n".join(put_package(container, name) for name in sorted(ON_BOARDS))
    (container.root / ARCHIVE / "Packages").write_text(index)
    (container.root / "etc/apt/sources.list.d/boards.list").write_text(f"deb [trusted=yes] file:/{ARCHIVE} ./\n")
    return container


def put_package(container: Container, name: str) -> str:
    """Build a package without content; returns its entry in the archive's index."""
    folder = container.root / ARCHIVE / name
    (folder / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 99\nArchitecture: all\nMaintainer: test <root@localhost>\nDescription: test\n"
    (folder / "DEBIAN/control").write_text(control)
    container.run("dpkg-deb", "--build", f"/{ARCHIVE}/{name}", f"/{ARCHIVE}/{name}.deb")
    data = folder.with_suffix(".deb").read_bytes()
    return f"{control}Filename: ./{name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


def packages(container: Container) -> set[str]:
    lines = container.run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n").splitlines()
    return {name for status, name in map(str.split, lines) if status == "installed"}


def remove(container: Container) -> None:
    """Take away what the installer installs, with all that came along."""
    present = sorted((ALWAYS | ON_BOARDS) & packages(container))
    container.run("apt-get", "purge", "--quiet", "--quiet", "--yes", "--auto-remove", *present, limit=300)


def install(container: Container, language: str) -> tuple[list[str], set[str]]:
    """Install on a system without these packages: what the installer asked apt for, and what was installed by that."""
    remove(container)
    before = packages(container)
    container.make("install", "SOURCE=test", language=LANGUAGES[language])
    record = container.run("cat", RECORD).splitlines()
    asked = sorted(line.removeprefix("package ") for line in record if line.startswith("package "))
    installed = packages(container) - before
    container.make("uninstall")
    return asked, installed


@pytest.fixture(scope="module")
def under_c(boards) -> tuple[list[str], set[str]]:
    """What is installed where apt speaks English."""
    return install(boards, "C")


def test_the_installer_asks_for_the_libraries_of_a_board(under_c):
    asked, installed = under_c
    assert set(asked) == ALWAYS | ON_BOARDS
    assert set(asked) <= installed


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "C"])
def test_translated_messages_of_apt_change_nothing(language, boards, under_c):
    variables = map("=".join, LANGUAGES[language].items())
    shown = boards.run("env", "--unset=LC_ALL", *variables, "apt-cache", "policy", "python3-picamera2")
    assert CANDIDATE[language] in shown, "apt is not translated, so this test would show nothing"
    asked, installed = install(boards, language)
    print(f"{language}: {len(installed)} packages: {' '.join(sorted(installed))}")
    assert (asked, installed) == under_c
