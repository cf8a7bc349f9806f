"""Switching to the service's user, which cannot be undone; each test does it in its own process."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import broadcaster

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch to another user")

PROGRAM = """
import json, os
from broadcaster.doctor.account import current_account, group_names, switch_to_service_user
from broadcaster.doctor.unit import ServiceUnit
from broadcaster.errors import BroadcasterError
service = ServiceUnit(user="USER", groups=("tty", "no-such-group"), environment={"LG_WD": "/nowhere", "A": "b"},
                  state_folder="/var/tmp", program="/opt/b")
try:
    switch_to_service_user(service)
    error_text = ""
except BroadcasterError as error:
    error_text = str(error)
try:
    os.setuid(0)
    is_root_again = True
except PermissionError:
    is_root_again = False
print(json.dumps({"error": error_text, "ids": os.getresuid() + os.getresgid(), "groups": sorted(group_names()),
                  "is_root_again": is_root_again, "cwd": os.getcwd(), "env": dict(os.environ),
                  "account": str(current_account(service))}))
"""


@pytest.fixture
def package() -> Iterator[Path]:
    """A copy of the package that every user can read, unlike the folders of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="broadcaster-test-"))
    shutil.copytree(
        Path(broadcaster.__file__).parent, folder / "broadcaster", ignore=shutil.ignore_patterns("__pycache__")
    )
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def switch(package: Path, user: str) -> dict[str, Any]:
    """Switch to `user` in a new process, and return what it is afterwards."""
    environment = os.environ | {"PYTHONPATH": str(package), "XDG_STATE_HOME": "/root/state"}
    command = [sys.executable, "-c", PROGRAM.replace("USER", user)]
    completed = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=package, env=environment, check=False
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    return json.loads(completed.stdout)


def test_switch_takes_over_ids_groups_folders_and_environment(package):
    state = switch(package, "nobody")
    nobody = pwd.getpwnam("nobody")
    assert state["error"] == ""
    assert state["ids"] == [nobody.pw_uid] * 3 + [nobody.pw_gid] * 3
    assert "tty" in state["groups"]
    assert "root" not in state["groups"]
    assert state["is_root_again"] is False
    assert state["cwd"] == "/var/tmp"
    assert state["account"] == "as user nobody, like the service"
    assert state["env"]["HOME"] == nobody.pw_dir
    assert state["env"]["STATE_DIRECTORY"] == "/var/tmp"
    assert state["env"]["A"] == "b"
    assert "XDG_STATE_HOME" not in state["env"]
    assert "LG_WD" not in state["env"]


def test_unreadable_program_is_an_error_that_names_the_installed_one(package):
    package.chmod(0o700)
    state = switch(package, "nobody")
    assert "user nobody cannot read this program" in state["error"]
    assert "sudo /opt/b check" in state["error"]
    assert state["ids"] == [0] * 6


def test_missing_user_changes_nothing(package):
    state = switch(package, "no-such-user")
    assert (state["error"], state["ids"], state["account"]) == ("", [0] * 6, "as user root")
