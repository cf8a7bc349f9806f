"""The service on a clean system: installed, hung, killed, stopped, updated, removed.

The tests build on each other, in this order.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time

import pytest

from tests.system.container import FETCH, Container
from tests.system.trees import CHECKOUT

pytestmark = pytest.mark.long

UNIT = "broadcaster.service"
SETTINGS = "/etc/broadcaster/broadcaster.toml"
COMMAND = "/usr/local/bin/broadcaster"
HANG_LIMIT = 15.0
STOP_LIMIT = 3.0
IDLE_SECONDS = 12.0
CAP_NET_BIND_SERVICE = 10
"""The capability's number in linux/capability.h."""
_TICKS = os.sysconf("SC_CLK_TCK")


def wait_for(condition, limit: float):
    """Wait until `condition()` is true, and return its value; a failed command counts as false."""
    deadline = time.monotonic() + limit
    while True:
        try:
            if value := condition():
                return value
        except (AssertionError, subprocess.TimeoutExpired):
            pass
        assert time.monotonic() < deadline, f"not true within {limit:g} s"
        time.sleep(0.1)


def is_live(container: Container) -> bool:
    return container.status()["stream"]["state"] == "live"


def pid(container: Container) -> int:
    return int(container.show("MainPID"))


def log(container: Container, *options: str) -> str:
    return container.run("journalctl", "--no-pager", "--output=cat", f"--unit={UNIT}", *options)


@pytest.fixture(scope="module")
def before(container) -> set[str]:
    """All files of the system before the installation, except those managed by apt."""
    return files(container)


def files(container: Container) -> set[str]:
    """Return the files of the system, except volatile ones and those of packages."""
    by_apt = ("/usr/", "/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/", "/var/log/", "/etc/alternatives/")
    by_packages = ("/etc/rc", "/etc/modules")
    volatile = ("/proc/", "/sys/", "/dev/", "/run/", "/tmp/", "/var/tmp/")
    in_packages = container.run("sh", "-c", "cat /var/lib/dpkg/info/*.list").splitlines()
    found = set(container.run("find", "/", "-xdev", "-not", "-type", "d").splitlines()) - set(in_packages)
    ignored = by_apt + by_packages + volatile
    return {path for path in found if path.startswith("/usr/local/") or not path.startswith(ignored)}


def test_install_on_a_clean_system_serves_the_page(container, before):
    began = time.monotonic()
    output = container.make("install", "SOURCE=test")
    print(f"make install: {time.monotonic() - began:.0f} s")
    assert "<!doctype html>" in container.fetch("/").lower()
    assert container.show("ActiveState") == "active"
    assert container.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    assert re.search(r"Open +http://.+:8080/", output), output
    assert "http://localhost:8080/" in output
    assert SETTINGS in output


def test_check_runs_as_the_service_user_and_does_not_affect_the_service(container):
    """As root, `broadcaster check` switches to the service's user and settings."""
    started = pid(container)
    assert "checked as user broadcaster, like the service" in container.try_run(COMMAND, "check", "board")
    lines = {line["what"]: line for line in json.loads(container.try_run(COMMAND, "check", "--json"))}
    print(json.dumps(lines, indent=2, ensure_ascii=False))
    assert not [line for line in lines.values() if "could not be checked" in line["found"]]
    assert lines["settings"]["found"].startswith(SETTINGS)
    assert lines["service"]["found"] == "running, and starts at boot"
    assert lines["port"]["found"] == "8080 is in use by the running broadcaster"
    assert ", linuxpy " in lines["versions"]["found"], "the library for USB cameras is installed"
    assert {lines[name]["level"] for name in ("settings", "service", "port", "versions", "disk")} == {"ok"}
    assert pid(container) == started


def test_service_runs_as_its_own_user_with_minimal_privileges(container):
    lines = container.run("cat", f"/proc/{pid(container)}/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert set(container.run("id", "--name", "--groups", "broadcaster").split()) == {
        "broadcaster",
        "video",
        "audio",
        "gpio",
    }
    numbers = container.run("id", "--groups", "broadcaster").split()
    assert set(status["Groups"].split()) == set(numbers)
    assert "0" not in status["Uid"].split()
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << CAP_NET_BIND_SERVICE
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_service_runs_without_the_checkout(container):
    container.run("mv", CHECKOUT, f"{CHECKOUT}.away")
    try:
        container.run("systemctl", "restart", UNIT)
        assert "<!doctype html>" in container.fetch("/").lower()
        version = container.run("broadcaster", "--version")
        assert version.startswith("broadcaster ")
    finally:
        container.run("mv", f"{CHECKOUT}.away", CHECKOUT)


def test_offline_service_uses_no_cpu_and_holds_no_device(container):
    assert container.status()["stream"]["state"] == "offline"
    time.sleep(2)  # do not measure the start
    load = cpu_load(container, IDLE_SECONDS)
    print(f"idle: {load:.2%} of a core")
    assert load < 0.01
    number = pid(container)
    open_files = container.run("find", f"/proc/{number}/fd", "-printf", "%l\\n")
    assert not re.search(r"/dev/(video|media|snd|gpiochip)", open_files), open_files
    processes = container.run("cat", f"/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs").split()
    assert processes == [str(number)], "a child, such as arecord, is still there"


def cpu_load(container: Container, seconds: float) -> float:
    def used() -> float:
        fields = container.run("cat", f"/proc/{pid(container)}/stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    began, used_before = time.monotonic(), used()
    time.sleep(seconds)
    return (used() - used_before) / (time.monotonic() - began)


def test_systemd_status_text_follows_the_state(container):
    assert container.show("StatusText") == "offline, 0 viewers"
    container.fetch("/api/live", '{"live": true}')
    wait_for(lambda: is_live(container), 15)
    wait_for(lambda: container.show("StatusText") == "live, 0 viewers", 5)


def test_hung_service_is_killed_with_a_traceback_and_live_again(container):
    hung, restarts = pid(container), int(container.show("NRestarts"))
    began = time.monotonic()
    container.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", UNIT)
    wait_for(lambda: pid(container) not in (0, hung) and container.status(), HANG_LIMIT + 5)
    serving = time.monotonic() - began
    print(f"hung to serving: {serving:.1f} s")
    assert serving < HANG_LIMIT
    assert int(container.show("NRestarts")) == restarts + 1
    assert "Fatal Python error: Aborted" in log(container)
    wait_for(lambda: is_live(container), 15)


def test_killed_service_is_live_again(container):
    killed = pid(container)
    container.run("systemctl", "kill", "--signal=SIGKILL", UNIT)
    wait_for(lambda: pid(container) not in (0, killed) and is_live(container), 20)


def test_service_stops_cleanly_within_three_seconds(container):
    began = time.monotonic()
    container.run("systemctl", "stop", UNIT)
    stopping = time.monotonic() - began
    print(f"live to stopped: {stopping:.1f} s")
    assert stopping < STOP_LIMIT
    assert container.show("Result") == "success"
    assert container.show("ExecMainStatus") == "0"
    container.run("systemctl", "start", UNIT)
    wait_for(lambda: is_live(container), 15)


def test_invalid_settings_are_reported_and_not_retried_forever(container):
    container.run("sed", "-i", "s/^#port = 8080/port = true/", SETTINGS)
    container.try_run("systemctl", "restart", UNIT)
    wait_for(lambda: container.show("ActiveState") == "failed", 10)
    assert "web.port" in log(container, "--lines=10")
    container.run("sed", "-i", "s/^port = true/#port = 8080/", SETTINGS)
    container.run("systemctl", "restart", UNIT)
    assert container.status()


def test_service_can_listen_on_port_80_and_check_agrees(container):
    container.run("sed", "-i", "s/^#port = 8080/port = 80/", SETTINGS)
    try:
        container.run("systemctl", "restart", UNIT)
        address = "http://127.0.0.1/api/status"
        wait_for(lambda: container.run("/usr/bin/python3", "-c", FETCH, address, ""), 15)
        container.run("systemctl", "stop", UNIT)
        (port,) = json.loads(container.try_run(COMMAND, "check", "--json", "port"))
        assert (port["level"], port["found"]) == ("ok", "80 is free, and the service may use it")
    finally:
        container.run("sed", "-i", "s/^port = 80$/#port = 8080/", SETTINGS)
        container.run("systemctl", "restart", UNIT)


def test_update_keeps_the_settings_and_the_live_state(container):
    before_update = container.run("cat", SETTINGS)
    assert 'source = "test"' in before_update
    old_pid = pid(container)
    container.make("install")
    assert pid(container) != old_pid
    assert container.run("cat", SETTINGS) == before_update
    assert container.run("stat", "--format=%U %G %a", SETTINGS).strip() == "root broadcaster 640"
    wait_for(lambda: is_live(container), 15)
    versions = container.run("find", "/opt/broadcaster", "-maxdepth", "1", "-name", "venv.*").splitlines()
    assert len(versions) == 1, "the previous version is removed"


def test_update_with_invalid_settings_keeps_the_running_version(container):
    old_pid = pid(container)
    container.run("sed", "-i", "s/^#port = 8080/prot = 8080/", SETTINGS)
    with pytest.raises(AssertionError, match=r"web\.prot[^$]*please correct"):
        container.make("install")
    container.run("sed", "-i", "s/^prot = 8080/#port = 8080/", SETTINGS)
    assert pid(container) == old_pid
    assert container.status()


def test_exposure_level_is_low_on_the_running_system(container):
    output = json.loads(container.run("systemd-analyze", "security", "--json=short", UNIT))
    exposure = sum(float(row["exposure"] or 0) for row in output)
    overall = container.run("systemd-analyze", "security", "--no-pager", UNIT).splitlines()[-1]
    match = re.search(r"Overall exposure level for broadcaster\.service: ([0-9.]+)", overall)
    assert match, overall
    assert float(match[1]) <= 2.0
    assert exposure >= 0


def test_uninstall_leaves_only_the_settings_and_names_their_path(container, before):
    output = container.make("uninstall")
    assert SETTINGS in output
    assert "could not" not in container.try_run("systemctl", "status", UNIT)
    assert files(container) - before == {SETTINGS}
    for database, name in (("passwd", "broadcaster"), ("group", "broadcaster"), ("group", "gpio")):
        assert container.try_run("getent", database, name) == ""
    assert container.run("stat", "--format=%U %G %a", SETTINGS).strip() == "root root 600"
    assert container.run("systemctl", "--failed", "--quiet", "--plain") == ""
    again = container.make("uninstall")
    assert SETTINGS in again, "a second uninstall is no error"


def test_service_without_a_camera_runs_and_shows_no_test_picture(container):
    container.run("rm", SETTINGS)
    output = container.make("install")
    assert "the camera gives no picture yet" in output
    assert "no USB camera is plugged in" in output
    old_pid = pid(container)
    container.fetch("/api/live", '{"live": true}')
    stream = wait_for(lambda: (state := container.status()["stream"])["state"] == "failed" and state, 15)
    assert stream["reason"] == "no-camera"
    wait_for(lambda: container.show("StatusText") == "failed (no-camera), 0 viewers", 5)
    attempts = container.status()["openings"]
    wait_for(lambda: container.status()["openings"] > attempts, 20)
    assert pid(container) == old_pid


def test_wheel_installs_the_service_like_a_checkout(container):
    """Installed by pip into a virtual environment that is removed afterwards, like the checkout."""
    container.make("uninstall")
    container.run("rm", SETTINGS)
    container.run("/usr/bin/python3", "-m", "venv", "/root/venv")
    container.run("/root/venv/bin/pip", "install", "--quiet", CHECKOUT, limit=600, outside=True)
    container.run("mv", CHECKOUT, f"{CHECKOUT}.away")
    try:
        output = container.run("/root/venv/bin/broadcaster", "install", "--source", "test", limit=600, outside=True)
        assert SETTINGS in output
        container.run("rm", "-r", "/root/venv")
        assert container.run(COMMAND, "live", "on") == "live\n"
        assert "State    live" in container.run(COMMAND, "status")
        assert SETTINGS in container.run(COMMAND, "uninstall")
        assert container.try_run("systemctl", "is-active", UNIT).strip() == "inactive"
    finally:
        container.run("mv", f"{CHECKOUT}.away", CHECKOUT)
