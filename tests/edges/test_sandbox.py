"""Files that the sandbox of systemd hides from the service: the error and the check name the option and the folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broadcaster.devices.board import Board
from broadcaster.doctor.account import Account
from broadcaster.doctor.checks import camera, certificate
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.holders import Holders
from broadcaster.doctor.isolation import run_isolated
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Level
from broadcaster.doctor.unit import Service, parse
from broadcaster.sandbox import FILMS, Hidden, hidden_by_mounts, hint
from broadcaster.settings import Settings, VideoSettings, WebSettings
from tests.edges.devices_rig import make_file
from tests.house.project import ROOT

SETTINGS = "/etc/broadcaster/broadcaster.toml"
SHOWN = f"""LoadState=loaded
ExecStart={{ path=/opt/b ; argv[]=/opt/b run --settings {SETTINGS} ; ignore_errors=no }}
ProtectHome=yes
PrivateTmp=yes
BindReadOnlyPaths=/home/pi/shared:/home/pi/shared:rbind
"""
MOUNTS = """22 1 8:2 / / rw,relatime - ext4 /dev/root rw
80 22 0:25 /systemd/inaccessible/dir /home ro,nosuid - tmpfs tmpfs rw
81 22 8:2 /tmp/systemd-private-5d1-broadcaster.service-x1/tmp /tmp rw - ext4 /dev/root rw
82 80 8:2 /home/pi/shared /home/pi/shared ro - ext4 /dev/root rw
""".splitlines()


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("/home/pi/film.mp4", Hidden("/home", "ProtectHome")),
        ("/tmp/film.mp4", Hidden("/tmp", "PrivateTmp")),
        ("/home/pi/shared/film.mp4", None),
        ("/homework/film.mp4", None),
        (f"{FILMS}/film.mp4", None),
    ],
)
def test_mounts_and_unit_agree_on_what_is_hidden(path: str, hidden: Hidden | None) -> None:
    assert hidden_by_mounts(path, MOUNTS) == hidden
    assert parse(SHOWN).hides(path) == hidden


def test_outside_of_a_sandbox_nothing_is_said() -> None:
    assert hint("/home/pi/film.mp4") == hint("/tmp/film.mp4") == hint("film.mp4") == ""
    assert parse(SHOWN.replace("=yes", "=no")).hides("/home/pi/film.mp4") is None
    assert Service().hides("/home/pi/film.mp4") is None


def can_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="root is needed to mount something over a folder")
@pytest.mark.parametrize(
    ("root", "option"),
    [("systemd/inaccessible/dir", "ProtectHome"), ("systemd-private-1-b.service-2/tmp", "PrivateTmp")],
)
def test_the_error_of_the_source_names_the_sandbox(tmp_path: Path, root: str, option: str) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (tmp_path / root).mkdir(parents=True)
    make_file(folder / "a.mp4")
    program = f"from broadcaster.devices.file.opening import file_version; file_version('{folder}/a.mp4')"
    script = f'mount --bind "{tmp_path / root}" "{folder}" && exec "$0" -c "$1"'
    command = ["unshare", "-m", "sh", "-c", script, sys.executable, program]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    says = f"No such file or directory: the service does not see {folder} ({option}=); it sees {FILMS}"
    assert says in ended.stderr


def checked(settings: Settings, probe, file: str = SETTINGS) -> CheckResult:
    board, me, service = Board("", 1 << 30, "", False), Account("pi", "broadcaster"), parse(SHOWN)
    holders = Holders({}, {})
    context = CheckContext(Machine(), board, settings, file, (), me, service, None, holders, lambda web, port: [])
    return run_isolated(lambda: probe(context), 30)[
        0
    ]  # as the check does, because a camera's check leaves its loop behind


def test_the_check_names_the_sandbox_and_the_way_out() -> None:
    film = Settings(video=VideoSettings(source="file", file="/home/pi/my film.mp4"))
    found = checked(film, camera.probe)
    assert found.level is Level.BROKEN
    assert found.found == f"/home/pi/my film.mp4: the service does not see /home (ProtectHome=); it sees {FILMS}"
    assert f"  sudo install -D -m 644 '/home/pi/my film.mp4' '{FILMS}/my film.mp4'\n" in found.fix
    assert f'file = "{FILMS}/my film.mp4"' in found.fix
    pair = Settings(web=WebSettings(certificate="/etc/broadcaster/c.pem", key="/root/k.pem"))
    found = checked(pair, certificate.probe)
    assert found.found == "/root/k.pem: the service does not see /root (ProtectHome=)"


def test_who_checks_settings_of_their_own_is_not_told_of_the_services_sandbox(tmp_path: Path) -> None:
    film = Settings(video=VideoSettings(source="file", file=str(tmp_path / "none.mp4")))
    assert "the service does not see" in checked(film, camera.probe).found
    assert "the service does not see" not in checked(film, camera.probe, "/home/pi/my.toml").found
