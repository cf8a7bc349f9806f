"""tests/tools.sh and the Makefile leave the machine of a developer as it is: no service is started or upgraded."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from broadcaster import settings
from tests.house.project import ROOT

APT_GET = """#!/bin/sh
case "$*" in
    *--simulate*) printf '%s' "$UPGRADES" ;;
    install*)
        echo "$@" >>"$LOG"
        if [ -x "$POLICY_RC_D" ]; then "$POLICY_RC_D" caddy start; echo "policy $?" >>"$LOG"; fi ;;
esac
"""
DPKG = """#!/bin/sh
[ "$2" = openssh-server ] && echo /lib/systemd/system/ssh.service
[ "$2" = libc6 ] && echo /lib/x86_64-linux-gnu/libc.so.6
exit 0
"""


@pytest.fixture
def tools(tmp_path):
    """Runs tests/tools.sh as root on a Debian that has nothing: its exit code, its messages, and what apt did."""
    if not any(f"ID={name}" in Path("/etc/os-release").read_text("utf-8") for name in ("debian", "raspbian")):
        pytest.skip("apt is used on Debian and Raspberry Pi OS only")
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {"apt-get": APT_GET, "dpkg": DPKG, "id": "#!/bin/sh\necho 0\n"}
    scripts["systemctl"] = scripts["update-rc.d"] = '#!/bin/sh\necho "${0##*/} $*" >>"$LOG"\n'
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    for name in ("sh", "sed", "grep", "cat", "chmod", "rm"):
        (folder / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")

    def run(*arguments: str, upgrades: str = "") -> tuple[int, str, list[str]]:
        log, policy = tmp_path / "log", tmp_path / "policy-rc.d"
        environment = {"PATH": str(folder), "LOG": str(log), "POLICY_RC_D": str(policy), "UPGRADES": upgrades}
        done = subprocess.run(
            ["/bin/sh", ROOT / "tests/tools.sh", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert not policy.exists(), "it is there only while apt runs"
        return done.returncode, done.stderr, log.read_text().splitlines() if log.exists() else []

    return run


@pytest.mark.parametrize(("tool", "package"), [("nginx", "nginx-light"), ("caddy", "caddy"), ("turn", "coturn")])
def test_what_brings_a_service_is_named_and_not_installed(tool, package, tools):
    code, said, done = tools(tool)
    assert (code, done) == (1, [])
    assert said == f"Programs are missing. To install them: sudo apt install {package}\n"


def test_what_brings_no_service_is_installed_while_no_service_may_start(tools):
    code, said, done = tools("browser", "node")
    assert (code, said) == (0, "")
    assert done[0].split()[-2:] == ["chromium", "nodejs"]
    assert done[1] == "policy 101"


def test_what_can_be_installed_is_installed_beside_what_is_named(tools):
    code, said, done = tools("node", "caddy")
    assert code == 1
    assert done[0].split()[-1] == "nodejs"
    assert said.endswith("sudo apt install caddy\n")


def test_nothing_is_installed_that_would_upgrade_a_service(tools):
    code, said, done = tools("browser", upgrades="Inst openssh-server [9.2] (9.3 Debian)\nInst chromium (140 Debian)\n")
    assert (code, done) == (1, [])
    assert "sudo apt install chromium" in said


def test_a_library_may_be_upgraded(tools):
    assert tools("browser", upgrades="Inst libc6 [2.36] (2.37 Debian)\nInst chromium (140 Debian)\n")[0] == 0


def test_a_machine_that_only_tests_gets_services_too_but_not_started(tools):
    code, said, done = tools("--services", "nginx", "caddy", "turn")
    assert (code, said) == (0, "")
    assert done[0].split()[-3:] == ["nginx-light", "caddy", "coturn"]
    assert done[1] == "policy 101"
    assert [line for line in done if line.startswith("systemctl")] == [
        f"systemctl --quiet disable {name}.service" for name in ("nginx", "caddy", "coturn")
    ]


def test_tests_and_make_ask_for_no_services():
    """Only .ci/run does, which is for machines that only test."""
    asking = re.compile(r"tools\.sh.*--services")
    files = [ROOT / "Makefile", *(ROOT / "tests").rglob("*.sh"), *(ROOT / "tests").rglob("*.py")]
    found = [path for path in files if path != Path(__file__) and asking.search(path.read_text("utf-8"))]
    assert not found
    assert asking.search((ROOT / ".ci/run").read_text("utf-8"))


def test_the_test_programme_keeps_its_state_to_itself(tmp_path):
    """Otherwise a later `broadcaster run` would go live with the camera, because the test picture was live."""
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    shown = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, env=os.environ | home, capture_output=True, text=True, timeout=60
    ).stdout
    (line,) = [line for line in shown.splitlines() if "broadcaster run" in line]
    words = shlex.split(line)
    chosen = settings.read("", [after for word, after in pairwise(words) if word == "--set"])
    assert chosen.video.source == "test"
    folder = ROOT / chosen.stream.state_dir
    assert chosen.stream.state_dir
    assert not folder.is_relative_to(tmp_path)
    assert folder.parent.name == ".venv", "git ignores it"
