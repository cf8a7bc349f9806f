"""Becoming the service's user, for good; each in a process of its own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import broadcaster

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")

PROGRAM = """
import json, os
from broadcaster.doctor.account import become_services_user, group_names, own_account
from broadcaster.doctor.unit import Service
from broadcaster.errors import BroadcasterError
service = Service(user="USER", groups=("tty", "no-such-group"), environment={"LG_WD": "/nowhere", "A": "b"},
                  state_folder="/var/tmp", program="/opt/b")
try:
    become_services_user(service)
    said = ""
except BroadcasterError as error:
    said = str(error)
try:
    os.setuid(0)
    back = True
except PermissionError:
    back = False
print(json.dumps({"said": said, "ids": os.getresuid() + os.getresgid(), "groups": sorted(group_names()), "back": back,
                  "cwd": os.getcwd(), "env": dict(os.environ), "who": str(own_account(service))}))
"""


@pytest.fixture
def package():
    """The package where everybody may read it: pytest's own folders are closed."""
    folder = Path(tempfile.mkdtemp(prefix="broadcaster-test-"))
    shutil.copytree(
        Path(broadcaster.__file__).parent, folder / "broadcaster", ignore=shutil.ignore_patterns("__pycache__")
    )
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def become(package: Path, user: str):
    environment = os.environ | {"PYTHONPATH": str(package), "XDG_STATE_HOME": "/root/state"}
    command = [sys.executable, "-c", PROGRAM.replace("USER", user)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=package, env=environment, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_it_is_the_services_user_with_its_groups_and_folders(package):
    told = become(package, "nobody")
    nobody = pwd.getpwnam("nobody")
    assert told["said"] == ""
    assert told["ids"] == [nobody.pw_uid] * 3 + [nobody.pw_gid] * 3
    assert "tty" in told["groups"]
    assert "root" not in told["groups"]
    assert told["back"] is False
    assert told["cwd"] == "/var/tmp"
    assert told["who"] == "as user nobody, like the service"
    assert told["env"]["HOME"] == nobody.pw_dir
    assert told["env"]["STATE_DIRECTORY"] == "/var/tmp"
    assert told["env"]["A"] == "b"
    assert "XDG_STATE_HOME" not in told["env"]
    assert "LG_WD" not in told["env"]


def test_a_user_who_cannot_read_the_program_is_told_where_the_right_one_is(package):
    package.chmod(0o700)
    told = become(package, "nobody")
    assert "user nobody cannot read this program" in told["said"]
    assert "sudo /opt/b check" in told["said"]
    assert told["ids"] == [0] * 6


def test_without_that_user_it_stays_who_it_is(package):
    told = become(package, "no-such-user")
    assert (told["said"], told["ids"], told["who"]) == ("", [0] * 6, "as user root")
