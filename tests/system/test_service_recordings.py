"""Recordings of the installed service, on a disk that comes and goes. Runs after `test_service`."""

from __future__ import annotations

import json

import pytest

from broadcaster.storage.recordings.time_service import ASK_TIMEDATED
from tests.system.container import Container
from tests.system.test_service import COMMAND, SETTINGS, UNIT, is_live, wait_for

pytestmark = pytest.mark.long

DISK = "/media/usb"
FOLDER = f"{DISK}/recordings"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/recordings.conf"


def problem(container: Container) -> str:
    return str(container.status()["recorder"]["store"]["problem"])


def files(container: Container) -> list[str]:
    return container.try_run("sh", "-c", f"ls {FOLDER}/*.mp4").splitlines()


def mount(container: Container) -> None:
    """Mount a disk, with a folder that belongs to the service."""
    container.run("mount", "-t", "tmpfs", "disk", DISK)
    container.run("install", "-d", "-o", "broadcaster", "-g", "broadcaster", FOLDER)


def set_folder(container: Container, folder: str) -> None:
    container.run("sed", "-i", f's|^#\\?folder = .*|folder = "{folder}"|', SETTINGS)


def test_setting_without_the_disk_is_reported(container):
    container.make("install", "SOURCE=test")
    container.run("sed", "-i", 's/^#mode = "off"/mode = "live"/; s/^#keep_free = .*/keep_free = 0/', SETTINGS)
    container.run("sed", "-i", "s/^#segment = .*/segment = 10.0/", SETTINGS)
    container.run("sed", "-i", 's/^#\\?source = .*/source = "test"/', SETTINGS)
    container.run("mkdir", "-p", DISK)
    set_folder(container, FOLDER)
    assert "no disk is mounted there" in container.make("install")
    assert container.run("cat", DROP_IN) == '[Service]\nReadWritePaths="-/media"\n'
    container.fetch("/api/live", '{"live": true}')
    wait_for(lambda: is_live(container), 15)
    wait_for(lambda: problem(container).startswith("no disk is mounted there"), 15)
    (check,) = json.loads(container.try_run(COMMAND, "check", "--json", "recordings"))
    assert "no disk is mounted there" in check["found"]
    assert not files(container)


def test_recording_begins_when_the_disk_is_mounted_again_and_again(container):
    for _ in range(2):
        mount(container)
        wait_for(lambda: files(container), 30)
        assert problem(container) == ""
        container.run("umount", "--lazy", DISK)  # the open file stays on the disk until it ends
        wait_for(lambda: problem(container), 60)
        assert container.run("find", DISK, "-mindepth", "1") == ""


def test_check_is_content_with_the_drop_in(container):
    mount(container)
    container.run("systemctl", "restart", UNIT)
    wait_for(lambda: files(container), 30)
    (check,) = json.loads(container.try_run(COMMAND, "check", "--json", "recordings"))
    assert "free in" in check["found"], check
    container.run("umount", "--lazy", DISK)


def test_folder_of_the_owner_is_created(container):
    set_folder(container, "/srv/recordings")
    container.make("install")
    assert container.run("stat", "--format=%U %a", "/srv/recordings").strip() == "broadcaster 750"
    wait_for(lambda: container.try_run("sh", "-c", "ls /srv/recordings/*.mp4"), 30)


def test_time_service_is_asked_in_the_sandbox(container):
    """adjtimex(2) is blocked by `ProtectClock=`; systemd-timedated answers, whatever sets the clock."""
    options = ("ProtectClock=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "User=broadcaster")
    options += ("SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources")
    options += ("SystemCallErrorNumber=EPERM",)
    run = ("systemd-run", "--quiet", "--wait", "--pipe", *(f"--property={option}" for option in options))
    program = "from broadcaster.storage.recordings.time_service import *; print(kernel_is_synchronized())"
    assert container.run(*run, "/opt/broadcaster/current/bin/python", "-c", program).strip() == "None"
    assert container.run(*run, *ASK_TIMEDATED).split()[0] == "b"


def test_state_folder_needs_no_drop_in(container):
    set_folder(container, "")
    container.make("install")
    assert container.try_run("ls", f"/etc/systemd/system/{UNIT}.d") == ""
    assert "/var/lib/broadcaster/recordings" in container.make("uninstall")
