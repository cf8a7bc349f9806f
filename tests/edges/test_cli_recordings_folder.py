"""The installer's step for `record.folder`: the drop-in of the unit, and the folder with its owner."""

import getpass
import os
import subprocess
import sys

import pytest

from broadcaster.cli.recordings_folder import prepare
from broadcaster.storage.recordings.folder import LOCK
from broadcaster.storage.recordings.index import FILE

USER = getpass.getuser()


@pytest.fixture
def drop_in(tmp_path):
    return tmp_path / "systemd" / "broadcaster.service.d" / "recordings.conf"


@pytest.fixture
def srv(tmp_path, monkeypatch):
    """A folder that the service sees, although pytest's own is in /tmp."""
    monkeypatch.setattr("broadcaster.cli.recordings_folder._NOT_VISIBLE", ("/home",))
    return tmp_path / "srv"


@pytest.mark.parametrize("name", ["recordings", "a/b/recordings"])
def test_folder_is_created_and_writable_for_the_service(srv, drop_in, name):
    assert prepare(str(srv / name), drop_in, USER) == ""
    assert drop_in.read_text() == f'[Service]\nReadWritePaths="-{srv / name}"\n'
    assert (srv / name).stat().st_mode & 0o777 == 0o750
    assert (srv / name).owner() == USER
    (srv / name / "one.mp4").touch()
    assert prepare(str(srv / name), drop_in, USER) == ""
    assert (srv / name / "one.mp4").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_folder_belongs_to_the_service(srv, drop_in):
    prepare(str(srv / "recordings"), drop_in, "daemon")
    assert (srv / "recordings").owner() == (srv / "recordings").group() == "daemon"
    assert srv.owner() == "root"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("is_state", [True, False])
def test_recordings_from_before_an_uninstallation_belong_to_the_service_again(srv, drop_in, is_state):
    folder = srv / "recordings"
    folder.mkdir(parents=True)
    names = (LOCK, FILE, f"{FILE}-journal", "000001_2026-03-01T12-00-00Z.mp4", "film.mp4")
    for name in names:
        (folder / name).touch()
    (folder / "000002_2026-03-01T12-00-00Z.mp4").symlink_to(folder / "film.mp4")
    prepare("" if is_state else str(folder), drop_in, "daemon", str(srv))
    assert [(folder / name).owner() for name in names] == [*["daemon"] * 4, "root"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_folder_of_somebody_else_stays_his(srv, drop_in):
    (srv / "films").mkdir(parents=True)
    assert "chown daemon:" in prepare(str(srv / "films"), drop_in, "daemon")
    assert (srv / "films").owner() == "root"
    (srv / "films").chmod(0o777)
    assert prepare(str(srv / "films"), drop_in, "daemon") == ""


@pytest.mark.parametrize("folder", ["", "/var/lib/broadcaster/recordings", "/var/lib/broadcaster"])
def test_state_folder_needs_no_drop_in(srv, drop_in, folder):
    prepare(str(srv), drop_in, USER)
    assert drop_in.exists()
    assert prepare(folder, drop_in, USER) == ""
    assert not drop_in.parent.exists()
    assert prepare(folder, drop_in, USER) == ""


def test_other_drop_ins_stay(srv, drop_in):
    prepare(str(srv), drop_in, USER)
    (drop_in.parent / "override.conf").write_text("[Service]\n")
    prepare("", drop_in, USER)
    assert [file.name for file in drop_in.parent.iterdir()] == ["override.conf"]


def test_disk_that_is_not_mounted_is_named_and_its_folder_is_not_created(drop_in):
    message = prepare("/media/usb-that-is-not-there/recordings", drop_in, USER)
    assert "no disk is mounted" in message
    assert drop_in.read_text() == '[Service]\nReadWritePaths="-/media"\n', "so the disk may come and go"
    assert not os.path.exists("/media/usb-that-is-not-there")


def test_folder_that_the_service_cannot_see_is_refused(drop_in):
    assert "cannot see" in prepare("/home/pi/recordings", drop_in, USER)
    assert not drop_in.exists()
    assert not os.path.exists("/home/pi/recordings")


def test_strange_names_are_quoted(srv, drop_in):
    prepare(str(srv / 'my "best" 100% \\ takes'), drop_in, USER)
    assert drop_in.read_text().splitlines()[1] == f'ReadWritePaths="-{srv}/my \\"best\\" 100%% \\\\ takes"'


def test_script_reads_the_settings(tmp_path, drop_in):
    settings = tmp_path / "broadcaster.toml"
    settings.write_text('record.folder = "/home/pi/recordings"\n')
    command = [sys.executable, "-m", "broadcaster.cli.recordings_folder", str(settings), str(drop_in)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot see it" in done.stdout
    settings.write_text(f'record.folder = "/proc/{os.getpid()}/recordings"\n')
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("record.folder: ")
