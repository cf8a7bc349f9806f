"""What the doctor thinks of service, settings, libraries and network, and who holds what."""

import errno
import os
import shutil
import time
from dataclasses import replace

import pytest

from broadcaster.devices.holders import Process
from broadcaster.doctor.checks import candidates, certificate, config, network, service, versions
from broadcaster.doctor.checks.certificate import Found
from broadcaster.doctor.checks.network import Port
from broadcaster.doctor.checks.versions import Versions
from broadcaster.doctor.holders import read_holders
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.names import NAMES
from broadcaster.doctor.result import Level
from broadcaster.doctor.table import CHECKS
from broadcaster.doctor.unit import Service, parse
from broadcaster.settings import IceServer, IceSettings, Settings, VideoSettings, WebSettings
from broadcaster.webrtc.ice import Gathered
from tests.rigs.certificates import make_pair
from tests.rigs.doctor import write

SHOWN = """\
LoadState=loaded
ActiveState=active
MainPID=812
NRestarts=0
UnitFileState=enabled
User=broadcaster
SupplementaryGroups=video gpio
Environment=LG_WD=/run/broadcaster ALSA_CONFIG_DIR=/usr/share/alsa "WITH=a space"
StateDirectory=broadcaster
AmbientCapabilities=cap_net_bind_service
ExecStart={ path=/opt/b/bin/broadcaster ; argv[]=/opt/b/bin/broadcaster run --settings /etc/b/b.toml ; pid=812 }
"""
RUNS = parse(SHOWN)
PACKAGES = dict.fromkeys(("aiortc", "aioice", "pylibsrtp", "av", "aiohttp"), "1.0")


def test_every_line_has_a_check_and_every_check_a_limit():
    assert len(set(NAMES)) == len(NAMES)
    assert all(one.limit > 0 for one in CHECKS)


def test_a_unit_is_understood():
    assert (
        Service(
            installed=True,
            enabled=True,
            active="active",
            pid=812,
            user="broadcaster",
            groups=("video", "gpio"),
            environment={"LG_WD": "/run/broadcaster", "ALSA_CONFIG_DIR": "/usr/share/alsa", "WITH": "a space"},
            state_folder="/var/lib/broadcaster",
            settings_file="/etc/b/b.toml",
            program="/opt/b/bin/broadcaster",
            low_ports=True,
        )
        == RUNS
    )


@pytest.mark.parametrize("shown", ["", "LoadState=not-found\nActiveState=inactive\n", "nonsense"])
def test_no_unit_is_no_service(shown):
    assert parse(shown) == Service()
    assert service.evaluate(parse(shown)).level is Level.OK


@pytest.mark.parametrize(
    ("changed", "level", "says"),
    [
        ({}, "ok", "runs, and starts at boot"),
        ({"ActiveState": "failed", "MainPID": "0"}, "broken", "does not run (failed)"),
        ({"ActiveState": "activating", "MainPID": "0"}, "broken", "does not run (activating)"),
        ({"ActiveState": "inactive", "MainPID": "0"}, "warning", "does not run"),
        ({"NRestarts": "7"}, "warning", "restarted 7 times"),
        ({"UnitFileState": "disabled"}, "warning", "not after the next boot"),
    ],
)
def test_the_service(changed, level, says):
    lines = [line.partition("=")[::2] for line in SHOWN.splitlines()]
    line = service.evaluate(parse("\n".join(f"{name}={changed.get(name, value)}" for name, value in lines)))
    assert line.level == level
    assert says in line.found


def test_a_service_that_does_not_answer_is_broken_once_it_is_up():
    line = service.evaluate(RUNS, silent_at=8080)
    assert (line.level, line.found) == (Level.BROKEN, "runs, but does not answer at port 8080")
    assert service.evaluate(replace(RUNS, active="activating"), silent_at=8080).level is Level.OK


def test_settings_that_only_the_service_may_read_are_for_sudo():
    line = config.evaluate(Settings(), "/etc/b.toml", ("the file cannot be read: Permission denied",), "/etc/b.toml")
    assert line.level is Level.BROKEN
    assert line.fix.endswith("  sudo broadcaster check")


def test_settings_that_are_wrong_are_all_named_with_the_file_to_edit():
    line = config.evaluate(Settings(), "/etc/b.toml", ("web.prot: no such setting", "video.fps = 0: no"), "/etc/b.toml")
    assert line.level is Level.BROKEN
    assert "web.prot: no such setting\nvideo.fps = 0: no" in line.found
    assert line.fix.endswith("sudoedit /etc/b.toml")


def test_other_settings_than_the_services_are_a_warning():
    line = config.evaluate(Settings(), "", (), "/etc/b.toml")
    assert line.level is Level.WARNING
    assert "--settings /etc/b.toml" in line.fix


def test_settings_are_counted():
    assert config.evaluate(Settings(), "", (), "").found == "no file, none other than the default"
    some = Settings(video=VideoSettings(fps=15, width=640))
    assert config.evaluate(some, "/a.toml", (), "/a.toml").found == "/a.toml, 2 other than the default"


def test_a_token_that_is_easy_to_guess_is_worth_a_look():
    weak = Settings(web=WebSettings(viewer_token="abcabcabcabcabcabcabc"))
    line = config.evaluate(weak, "/a.toml", (), "/a.toml")
    assert (line.level, line.found.splitlines()[-1]) == (Level.WARNING, "web.viewer_token: easy to guess")
    assert "\n  broadcaster token\n" in line.fix


def test_libraries():
    fine = versions.evaluate(Versions((3, 11, 2), PACKAGES | {"picamera2": "0.3.32", "lgpio": ""}))
    assert fine.level is Level.OK
    assert "picamera2 0.3.32" in fine.found
    assert "lgpio" not in fine.found
    assert versions.evaluate(Versions((3, 11, 2), PACKAGES | {"av": ""})).found == "missing: av"
    assert versions.evaluate(Versions((3, 14, 0), PACKAGES)).level is Level.BROKEN
    assert (
        versions.evaluate(Versions((3, 13, 0), PACKAGES, refused="this release is not supported")).level is Level.BROKEN
    )
    old = versions.evaluate(Versions((3, 11, 2), PACKAGES | {"picamera2": "0.3.12"}))
    assert (old.level, "full-upgrade" in old.fix) == (Level.WARNING, True)


def test_this_machines_libraries_are_ones_that_are_known():
    assert versions.evaluate(versions.read_versions()).level is Level.OK


NGINX = Process(7, "nginx")


@pytest.mark.parametrize(
    ("port", "level", "found"),
    [
        (Port(8080, "", (), ours=False), "ok", "8080 is free"),
        (Port(0, "", (), ours=False), "ok", "any free one (web.port = 0)"),
        (Port(8080, "in use", (), ours=True), "ok", "8080, in use by the running broadcaster: fine"),
        (Port(8080, "in use", (NGINX,), ours=False), "broken", "in use, held by nginx (process 7)"),
        (Port(8080, "in use", (), ours=False), "broken", "in use"),
        (Port(80, "needs privileges", (), ours=False, denied=True, service=True), "ok", "80 is free, for the service"),
        (Port(80, "needs privileges", (), ours=False, denied=True), "broken", "needs privileges"),
    ],
)
def test_the_port(port, level, found):
    line = network.evaluate_port(port)
    assert (line.level, line.found) == (level, found)
    assert ("sudo kill 7" in line.fix) == bool(port.holders)
    assert ("sudo make install" in line.fix) == (port.denied and not port.service)


async def test_a_host_that_is_not_ours_cannot_be_listened_on():
    error, denied = await network.try_port("192.0.2.77", 8080)
    assert ("web.host" in error, denied) == (True, False)


async def test_a_port_for_which_privileges_are_missing(monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.create_server", refuse)
    error, denied = await network.try_port("", 80)
    assert denied
    assert "which the installed service has" in error


@pytest.mark.parametrize(
    ("host", "links", "level"),
    [
        ("", ["http://pi.local:8080/", "http://192.168.1.20:8080/", "http://localhost:8080/"], "ok"),
        ("", ["http://pi.local:8080/", "http://pi:8080/", "http://localhost:8080/"], "warning"),
        ("", ["http://pi.local:8080/", "http://[fd00::7]:8080/"], "ok"),
        ("", ["http://pi.local:8080/", "http://169.254.3.7:8080/", "http://localhost:8080/"], "warning"),
        ("127.0.0.1", ["http://127.0.0.1:8080/"], "warning"),
        ("::1", ["http://[::1]:8080/"], "warning"),
        ("192.168.1.20", ["http://192.168.1.20:8080/"], "ok"),
        ("127.0.0.1", ["https://cam.example.org/", "http://127.0.0.1:8080/"], "ok"),
        ("cam.example.org", ["http://cam.example.org:8080/"], "ok"),
    ],
)
def test_addresses(host, links, level):
    assert network.evaluate_addresses(host, links).level == level


def test_link_local_addresses_are_said_to_be_just_that():
    found = network.evaluate_addresses("", ["http://169.254.3.7:8080/", "http://localhost:8080/"]).found
    assert found.startswith("link-local only: machines on the same cable or Wi-Fi can watch")
    assert "http://169.254.3.7:8080/" in found


TURN = IceSettings((IceServer(("turn:t.example.org",), "u", "p"),))


@pytest.mark.parametrize(
    ("gathered", "settings", "level", "says"),
    [
        (Gathered((("host", "10.0.0.2"), ("host", "fd00::2")), ()), IceSettings(), "ok", "direct: 10.0.0.2, fd00::2"),
        (Gathered((("host", "10.0.0.2"), ("relay", "1.2.3.4")), ()), TURN, "ok", "by relay: 1.2.3.4"),
        (Gathered((("host", "10.0.0.2"),), ("nothing from TURN server t",)), TURN, "warning", "nothing from TURN"),
        (Gathered((("host", "10.0.0.2"),), ()), TURN, "warning", "cannot use turn:t.example.org"),
        (Gathered((("host", "127.0.0.1"),), ()), IceSettings(), "warning", "direct: 127.0.0.1: this machine only"),
        (Gathered((), ("no way",)), IceSettings(), "broken", "none\nno way"),
    ],
)
def test_ways(gathered, settings, level, says):
    line = candidates.evaluate(gathered, settings)
    assert line.level == level
    assert says in line.found


def test_who_holds_devices_and_ports(tmp_path):
    write(tmp_path, "proc/77/comm", "rpicam-vid\n")
    write(tmp_path, "proc/self/comm", "never looked at\n")
    (tmp_path / "proc/77/fd").mkdir()
    for number, target in enumerate(("/dev/video0", "/dev/media1", "socket:[4711]", "/home/pi/film")):
        os.symlink(target, tmp_path / f"proc/77/fd/{number}")
    listening = "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1"
    another = "   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1"
    talking = "   2: 00000000:1F91 0100007F:0016 01 00000000:00000000 00:00000000 00000000  1000        0 4713 1"
    write(tmp_path, "proc/net/tcp", "\n".join(["  sl  local_address …", listening, another, talking, "garbage"]))
    holders = read_holders(tmp_path)
    process = Process(77, "rpicam-vid")
    assert str(process) == "rpicam-vid (process 77)"
    assert holders.of_devices("/dev/video", "/dev/media") == {process}
    assert holders.of_devices("/dev/snd/") == set()
    assert holders.ports == {8080: (process,), 80: ()}


def test_nobody_holds_anything_on_a_machine_that_tells_nothing(tmp_path):
    assert read_holders(tmp_path).ports == {}


NOW = 1_780_000_000.0


@pytest.mark.parametrize(
    ("found", "level", "says"),
    [
        (Found("", NOW + 80 * 86400), "ok", "/c.pem, until 2026-08-16"),
        (Found("", NOW + 13.5 * 86400), "warning", "in 13 days"),
        (Found("", NOW - 60), "broken", "ended on 2026-05-28"),
        (Found("", None), "ok", "not known here"),
        (Found("web.key: is not the key", None), "broken", "is not the key"),
    ],
)
def test_the_certificate(found, level, says):
    line = certificate.evaluate(found, "/c.pem", NOW)
    assert line.level == level
    assert says in line.found


def test_a_certificates_end_is_what_openssl_says():
    assert certificate.understand("notAfter=Aug 16 20:26:40 2026 GMT") == NOW + 80 * 86400
    assert certificate.understand("") is None


def test_a_certificate_is_loaded_as_the_daemon_does(tmp_path):
    pair, other = make_pair(tmp_path), tmp_path / "other"
    fine = certificate.read_certificate(Machine(), WebSettings(**pair.settings))
    assert fine.error == ""
    if shutil.which("openssl"):
        assert fine.end == pytest.approx(time.time() + 30 * 86400, abs=86400)
    other.mkdir()
    wrong = WebSettings(certificate=str(pair.certificate), key=str(make_pair(other).key))
    assert "is not the key" in certificate.read_certificate(Machine(), wrong).error
