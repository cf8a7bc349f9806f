"""Files that systemd's sandbox hides from the service: error and check name the option and the folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broadcaster.devices.board import Board
from broadcaster.doctor.account import Account
from broadcaster.doctor.checks import camera, certificate, push, recordings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.holders import Holders
from broadcaster.doctor.isolation import run_isolated
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Level
from broadcaster.doctor.unit import ServiceUnit, parse
from broadcaster.sandbox import FILMS, Hidden, hidden_by_mounts, hint
from broadcaster.settings import PushTarget, RecordSettings, Settings, VideoSettings, WebSettings
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
def test_mounts_and_unit_hide_the_same_files(path: str, hidden: Hidden | None) -> None:
    assert hidden_by_mounts(path, MOUNTS) == hidden
    assert parse(SHOWN).hides(path) == hidden


def test_no_hint_outside_the_sandbox() -> None:
    assert hint("/home/pi/film.mp4") == hint("/tmp/film.mp4") == hint("film.mp4") == ""
    assert parse(SHOWN.replace("=yes", "=no")).hides("/home/pi/film.mp4") is None
    assert ServiceUnit().hides("/home/pi/film.mp4") is None


def can_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs root, to mount over a folder")
@pytest.mark.parametrize(
    ("root", "option"),
    [("systemd/inaccessible/dir", "ProtectHome"), ("systemd-private-1-b.service-2/tmp", "PrivateTmp")],
)
def test_error_of_the_source_names_the_sandbox(tmp_path: Path, root: str, option: str) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (tmp_path / root).mkdir(parents=True)
    make_file(folder / "a.mp4")
    program = f"from broadcaster.devices.file.opening import file_version; file_version('{folder}/a.mp4')"
    script = f'mount --bind "{tmp_path / root}" "{folder}" && exec "$0" -c "$1"'
    command = ["unshare", "-m", "sh", "-c", script, sys.executable, program]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    message = f"No such file or directory: the service does not see {folder} ({option}=); it sees {FILMS}"
    assert message in ended.stderr


def check(settings: Settings, probe, file: str = SETTINGS) -> CheckResult:
    board, me, service = Board("", 1 << 30, "", False), Account("pi", "broadcaster"), parse(SHOWN)
    holders = Holders({}, {})
    context = CheckContext(Machine(), board, settings, file, (), me, service, None, holders, lambda web, port: [])
    # Isolated as in `broadcaster check`, because a camera's probe leaves its event loop open.
    return run_isolated(lambda: probe(context), 30)[0]


def test_check_names_the_sandbox_and_suggests_a_fix() -> None:
    film = Settings(video=VideoSettings(source="file", file="/home/pi/my film.mp4"))
    result = check(film, camera.probe)
    assert result.level is Level.BROKEN
    assert result.found == f"/home/pi/my film.mp4: the service does not see /home (ProtectHome=); it sees {FILMS}"
    assert f"  sudo install -D -m 644 '/home/pi/my film.mp4' '{FILMS}/my film.mp4'\n" in result.fix
    assert f'file = "{FILMS}/my film.mp4"' in result.fix
    pair = Settings(web=WebSettings(certificate="/etc/broadcaster/c.pem", key="/root/k.pem"))
    result = check(pair, certificate.probe)
    assert result.found == "/root/k.pem: the service does not see /root (ProtectHome=)"
    target = PushTarget("relay", "http://127.0.0.1:9/whip", token_file="/root/token")
    result = check(Settings(push=(target,)), push.probe)
    assert result.found == '"relay": the service does not see /root (ProtectHome=), where token_file is'


def test_check_of_other_settings_ignores_the_sandbox_of_the_service(tmp_path: Path) -> None:
    film = Settings(video=VideoSettings(source="file", file=str(tmp_path / "none.mp4")))
    assert "the service does not see" in check(film, camera.probe).found
    assert "the service does not see" not in check(film, camera.probe, "/home/pi/my.toml").found


def test_check_of_recordings_suggests_another_folder_than_one_that_is_hidden() -> None:
    result = check(Settings(record=RecordSettings("live", "/home/pi/films")), recordings.probe)
    assert result.found == "the service does not see /home/pi/films (ProtectHome=)"
    assert "/srv/recordings" in result.fix


def test_check_of_recordings_tells_how_to_mount_a_disk() -> None:
    result = check(Settings(record=RecordSettings("live", "/mnt/usb-that-is-not-there/films")), recordings.probe)
    assert result.level is Level.BROKEN
    assert "no disk is mounted there" in result.found
    assert "/etc/fstab" in result.fix
