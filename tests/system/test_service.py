"""The life of the service on a clean system: installed, hung, killed, stopped, updated, taken away.

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
"""Its number in linux/capability.h."""
_TICKS = os.sysconf("SC_CLK_TCK")


def wait_for(happens, limit: float):
    """Wait until `happens()` is true, and return it; the page not answering is one way of being false."""
    deadline = time.monotonic() + limit
    while True:
        try:
            if found := happens():
                return found
        except (AssertionError, subprocess.TimeoutExpired):
            pass
        assert time.monotonic() < deadline, f"not within {limit:g} s"
        time.sleep(0.1)


def is_live(container: Container) -> bool:
    return container.status()["stream"]["state"] == "live"


def pid(container: Container) -> int:
    return int(container.show("MainPID"))


def log(container: Container, *options: str) -> str:
    return container.run("journalctl", "--no-pager", "--output=cat", f"--unit={UNIT}", *options)


@pytest.fixture(scope="module")
def before(container) -> set[str]:
    """Every file that the system had before anything was installed, but those that apt looks after."""
    return files(container)


def files(container: Container) -> set[str]:
    """What is in the system and neither fleeting nor part of a package, nor made by one."""
    by_apt = ("/usr/", "/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/", "/var/log/", "/etc/alternatives/")
    by_packages = ("/etc/rc", "/etc/modules")
    fleeting = ("/proc/", "/sys/", "/dev/", "/run/", "/tmp/", "/var/tmp/")
    in_packages = container.run("sh", "-c", "cat /var/lib/dpkg/info/*.list").splitlines()
    found = set(container.run("find", "/", "-xdev", "-not", "-type", "d").splitlines()) - set(in_packages)
    others = by_apt + by_packages + fleeting
    return {path for path in found if path.startswith("/usr/local/") or not path.startswith(others)}


def test_one_command_takes_a_clean_system_to_an_answering_page(container, before):
    began = time.monotonic()
    said = container.make("install", "SOURCE=test")
    print(f"make install: {time.monotonic() - began:.0f} s")
    assert "<!doctype html>" in container.fetch("/").lower()
    assert container.show("ActiveState") == "active"
    assert container.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    assert re.search(r"Open +http://.+:8080/", said), said
    assert "http://localhost:8080/" in said
    assert SETTINGS in said


def test_the_doctor_looks_as_the_service_s_user_and_leaves_the_service_alone(container):
    """Run by root, it becomes that user, and takes the service's settings."""
    began = pid(container)
    assert "checked as user broadcaster, like the service" in container.try_run(COMMAND, "check", "board")
    lines = {line["what"]: line for line in json.loads(container.try_run(COMMAND, "check", "--json"))}
    print(json.dumps(lines, indent=2, ensure_ascii=False))
    assert not [line for line in lines.values() if "could not be checked" in line["found"]]
    assert lines["settings"]["found"].startswith(SETTINGS)
    assert lines["service"]["found"] == "running, and starts at boot"
    assert lines["port"]["found"] == "8080 is in use by the running broadcaster"
    assert ", linuxpy " in lines["versions"]["found"], "the library of USB cameras comes along"
    assert {lines[name]["level"] for name in ("settings", "service", "port", "versions", "disk")} == {"ok"}
    assert pid(container) == began


def test_it_runs_as_its_own_user_in_its_groups_and_can_do_nothing_more(container):
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


def test_the_checkout_is_not_needed_any_more(container):
    container.run("mv", CHECKOUT, f"{CHECKOUT}.away")
    try:
        container.run("systemctl", "restart", UNIT)
        assert "<!doctype html>" in container.fetch("/").lower()
        version = container.run("broadcaster", "--version")
        assert version.startswith("broadcaster ")
    finally:
        container.run("mv", f"{CHECKOUT}.away", CHECKOUT)


def test_offline_it_costs_nothing_and_holds_no_device(container):
    assert container.status()["stream"]["state"] == "offline"
    time.sleep(2)  # what starting costs is not what waiting costs
    share = cpu_share(container, IDLE_SECONDS)
    print(f"idle: {share:.2%} of a core")
    assert share < 0.01
    number = pid(container)
    held = container.run("find", f"/proc/{number}/fd", "-printf", "%l\\n")
    assert not re.search(r"/dev/(video|media|snd|gpiochip)", held), held
    processes = container.run("cat", f"/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs").split()
    assert processes == [str(number)], "a child, such as arecord, is still there"


def cpu_share(container: Container, seconds: float) -> float:
    def used() -> float:
        fields = container.run("cat", f"/proc/{pid(container)}/stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    began, at_first = time.monotonic(), used()
    time.sleep(seconds)
    return (used() - at_first) / (time.monotonic() - began)


def test_systemd_knows_how_it_fares(container):
    assert container.show("StatusText") == "offline, 0 viewers"
    container.fetch("/api/live", '{"live": true}')
    wait_for(lambda: is_live(container), 15)
    wait_for(lambda: container.show("StatusText") == "live, 0 viewers", 5)


def test_hung_it_is_killed_says_where_it_hung_and_is_live_again(container):
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


def test_killed_it_is_live_again(container):
    killed = pid(container)
    container.run("systemctl", "kill", "--signal=SIGKILL", UNIT)
    wait_for(lambda: pid(container) not in (0, killed) and is_live(container), 20)


def test_it_stops_in_order_within_three_seconds(container):
    began = time.monotonic()
    container.run("systemctl", "stop", UNIT)
    stopping = time.monotonic() - began
    print(f"live to stopped: {stopping:.1f} s")
    assert stopping < STOP_LIMIT
    assert container.show("Result") == "success"
    assert container.show("ExecMainStatus") == "0"
    container.run("systemctl", "start", UNIT)
    wait_for(lambda: is_live(container), 15)


def test_wrong_settings_are_said_and_not_tried_for_ever(container):
    container.run("sed", "-i", "s/^#port = 8080/port = true/", SETTINGS)
    container.try_run("systemctl", "restart", UNIT)
    wait_for(lambda: container.show("ActiveState") == "failed", 10)
    assert "web.port" in log(container, "--lines=10")
    container.run("sed", "-i", "s/^port = true/#port = 8080/", SETTINGS)
    container.run("systemctl", "restart", UNIT)
    assert container.status()


def test_it_may_listen_on_port_80_and_the_check_agrees(container):
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


def test_an_update_keeps_the_settings_and_the_show(container):
    kept = container.run("cat", SETTINGS)
    assert 'source = "test"' in kept
    runs = pid(container)
    container.make("install")
    assert pid(container) != runs
    assert container.run("cat", SETTINGS) == kept
    assert container.run("stat", "--format=%U %G %a", SETTINGS).strip() == "root broadcaster 640"
    wait_for(lambda: is_live(container), 15)
    versions = container.run("find", "/opt/broadcaster", "-maxdepth", "1", "-name", "venv.*").splitlines()
    assert len(versions) == 1, "the version before is gone"


def test_an_update_that_cannot_read_the_settings_leaves_what_runs_alone(container):
    runs = pid(container)
    container.run("sed", "-i", "s/^#port = 8080/prot = 8080/", SETTINGS)
    with pytest.raises(AssertionError, match=r"web\.prot[^$]*please correct"):
        container.make("install")
    container.run("sed", "-i", "s/^prot = 8080/#port = 8080/", SETTINGS)
    assert pid(container) == runs
    assert container.status()


def test_its_exposure_is_small_on_the_running_system_too(container):
    said = json.loads(container.run("systemd-analyze", "security", "--json=short", UNIT))
    exposure = sum(float(row["exposure"] or 0) for row in said)
    overall = container.run("systemd-analyze", "security", "--no-pager", UNIT).splitlines()[-1]
    found = re.search(r"Overall exposure level for broadcaster\.service: ([0-9.]+)", overall)
    assert found, overall
    assert float(found[1]) <= 2.0
    assert exposure >= 0


def test_uninstalling_leaves_nothing_but_the_settings_and_says_where(container, before):
    said = container.make("uninstall")
    assert SETTINGS in said
    assert "could not" not in container.try_run("systemctl", "status", UNIT)
    assert files(container) - before == {SETTINGS}
    for database, name in (("passwd", "broadcaster"), ("group", "broadcaster"), ("group", "gpio")):
        assert container.try_run("getent", database, name) == ""
    assert container.run("stat", "--format=%U %G %a", SETTINGS).strip() == "root root 600"
    assert container.run("systemctl", "--failed", "--quiet", "--plain") == ""
    again = container.make("uninstall")
    assert SETTINGS in again, "once more is no error"


def test_without_a_camera_it_runs_says_so_and_shows_no_test_picture_unasked(container):
    container.run("rm", SETTINGS)
    said = container.make("install")
    assert "the camera gives no picture yet" in said
    assert "no USB camera is plugged in" in said
    runs = pid(container)
    container.fetch("/api/live", '{"live": true}')
    stream = wait_for(lambda: (told := container.status()["stream"])["state"] == "failed" and told, 15)
    assert stream["reason"] == "no-camera"
    wait_for(lambda: container.show("StatusText") == "failed (no-camera), 0 viewers", 5)
    tries = container.status()["openings"]
    wait_for(lambda: container.status()["openings"] > tries, 20)
    assert pid(container) == runs


def test_a_wheel_installs_what_a_checkout_does(container):
    """By pip into an environment that is gone afterwards, like the checkout."""
    container.make("uninstall")
    container.run("rm", SETTINGS)
    container.run("/usr/bin/python3", "-m", "venv", "/root/venv")
    container.run("/root/venv/bin/pip", "install", "--quiet", CHECKOUT, limit=600, outside=True)
    container.run("mv", CHECKOUT, f"{CHECKOUT}.away")
    try:
        said = container.run("/root/venv/bin/broadcaster", "install", "--source", "test", limit=600, outside=True)
        assert SETTINGS in said
        container.run("rm", "-r", "/root/venv")
        assert container.run(COMMAND, "live", "on") == "live\n"
        assert "State    live" in container.run(COMMAND, "status")
        assert SETTINGS in container.run(COMMAND, "uninstall")
        assert container.try_run("systemctl", "is-active", UNIT).strip() == "inactive"
    finally:
        container.run("mv", f"{CHECKOUT}.away", CHECKOUT)
