"""`make install` in several languages: apt's messages are translated, the installed packages must be the same.

The libraries for camera and pins exist only in the archive of Raspberry Pi OS. An archive inside the container has
empty packages of these names, so that the installer can query the real apt.
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
"""The label of the candidate version in the output of `apt-cache policy`."""


@pytest.fixture(scope="module")
def boards(container) -> Container:
    """The container with the locales, and with an archive of the libraries of Raspberry Pi OS."""
    for name in ("de_DE", "zh_CN"):
        container.run("localedef", "--inputfile", name, "--charmap", "UTF-8", f"{name}.UTF-8")
    index = "\n".join(add_package(container, name) for name in sorted(ON_BOARDS))
    (container.root / ARCHIVE / "Packages").write_text(index)
    (container.root / "etc/apt/sources.list.d/boards.list").write_text(f"deb [trusted=yes] file:/{ARCHIVE} ./\n")
    return container


def add_package(container: Container, name: str) -> str:
    """Build an empty package, and return its entry for the archive's index."""
    folder = container.root / ARCHIVE / name
    (folder / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 99\nArchitecture: all\nMaintainer: test <root@localhost>\nDescription: test\n"
    (folder / "DEBIAN/control").write_text(control)
    container.run("dpkg-deb", "--build", f"/{ARCHIVE}/{name}", f"/{ARCHIVE}/{name}.deb")
    data = folder.with_suffix(".deb").read_bytes()
    return f"{control}Filename: ./{name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


def installed_packages(container: Container) -> set[str]:
    lines = container.run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n").splitlines()
    return {name for status, name in map(str.split, lines) if status == "installed"}


def remove(container: Container) -> None:
    """Remove the packages that the installer installs, and their dependencies."""
    present = sorted((ALWAYS | ON_BOARDS) & installed_packages(container))
    container.run("apt-get", "purge", "--quiet", "--quiet", "--yes", "--auto-remove", *present, limit=300)


def install(container: Container, language: str) -> tuple[list[str], set[str]]:
    """Install on a system without these packages; return what the installer requested, and what was installed."""
    remove(container)
    before = installed_packages(container)
    container.make("install", "SOURCE=test", language=LANGUAGES[language])
    record = container.run("cat", RECORD).splitlines()
    requested = sorted(line.removeprefix("package ") for line in record if line.startswith("package "))
    installed = installed_packages(container) - before
    container.make("uninstall")
    return requested, installed


@pytest.fixture(scope="module")
def in_c_locale(boards) -> tuple[list[str], set[str]]:
    """What is requested and installed in the C locale."""
    return install(boards, "C")


def test_installer_requests_the_libraries_of_a_board(in_c_locale):
    requested, installed = in_c_locale
    assert set(requested) == ALWAYS | ON_BOARDS
    assert set(requested) <= installed


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "C"])
def test_translated_messages_of_apt_have_no_effect(language, boards, in_c_locale):
    variables = map("=".join, LANGUAGES[language].items())
    policy = boards.run("env", "--unset=LC_ALL", *variables, "apt-cache", "policy", "python3-picamera2")
    assert CANDIDATE[language] in policy, "apt is not translated, so this test would prove nothing"
    requested, installed = install(boards, language)
    print(f"{language}: {len(installed)} packages: {' '.join(sorted(installed))}")
    assert (requested, installed) == in_c_locale
