"""tests/tools.sh and the Makefile neither start nor upgrade services on a developer's machine."""

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
    """Return a function that runs tests/tools.sh as root on a bare Debian: exit code, messages, calls of apt."""
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
        assert not policy.exists(), "policy-rc.d exists only while apt runs"
        return done.returncode, done.stderr, log.read_text().splitlines() if log.exists() else []

    return run


@pytest.mark.parametrize(("tool", "package"), [("nginx", "nginx-light"), ("caddy", "caddy"), ("turn", "coturn")])
def test_package_with_a_service_is_named_and_not_installed(tool, package, tools):
    code, messages, calls = tools(tool)
    assert (code, calls) == (1, [])
    assert messages == f"Programs are missing. To install them: sudo apt install {package}\n"


def test_package_without_a_service_is_installed_while_services_may_not_start(tools):
    code, messages, calls = tools("browser", "node")
    assert (code, messages) == (0, "")
    assert calls[0].split()[-2:] == ["chromium", "nodejs"]
    assert calls[1] == "policy 101"


def test_installable_packages_are_installed_and_others_named(tools):
    code, messages, calls = tools("node", "caddy")
    assert code == 1
    assert calls[0].split()[-1] == "nodejs"
    assert messages.endswith("sudo apt install caddy\n")


def test_nothing_is_installed_if_it_would_upgrade_a_service(tools):
    code, messages, calls = tools(
        "browser", upgrades="Inst openssh-server [9.2] (9.3 Debian)\nInst chromium (140 Debian)\n"
    )
    assert (code, calls) == (1, [])
    assert "sudo apt install chromium" in messages


def test_library_may_be_upgraded(tools):
    assert tools("browser", upgrades="Inst libc6 [2.36] (2.37 Debian)\nInst chromium (140 Debian)\n")[0] == 0


def test_services_option_installs_services_and_leaves_them_stopped(tools):
    code, messages, calls = tools("--services", "nginx", "caddy", "turn")
    assert (code, messages) == (0, "")
    assert calls[0].split()[-3:] == ["nginx-light", "caddy", "coturn"]
    assert calls[1] == "policy 101"
    assert [line for line in calls if line.startswith("systemctl")] == [
        f"systemctl --quiet disable {name}.service" for name in ("nginx", "caddy", "coturn")
    ]


def test_only_ci_uses_the_services_option():
    """.ci/run may, because it is meant for machines that only run tests."""
    option = re.compile(r"tools\.sh.*--services")
    files = [ROOT / "Makefile", *(ROOT / "tests").rglob("*.sh"), *(ROOT / "tests").rglob("*.py")]
    users = [path for path in files if path != Path(__file__) and option.search(path.read_text("utf-8"))]
    assert not users
    assert option.search((ROOT / ".ci/run").read_text("utf-8"))


def test_make_run_keeps_its_state_in_the_checkout(tmp_path):
    """Otherwise a later `broadcaster run` would go live with the camera because the test picture was live."""
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    output = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, env=os.environ | home, capture_output=True, text=True, timeout=60
    ).stdout
    (line,) = [line for line in output.splitlines() if "broadcaster run" in line]
    words = shlex.split(line)
    values = settings.read("", [after for word, after in pairwise(words) if word == "--set"])
    assert values.video.source == "test"
    folder = ROOT / values.stream.state_dir
    assert values.stream.state_dir
    assert not folder.is_relative_to(tmp_path)
    assert folder.parent.name == ".venv", "git ignores it"
