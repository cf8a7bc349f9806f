"""Checks of service, settings, libraries, network and certificate, and the holders of devices and ports."""

import errno
import os
import shutil
import time
from dataclasses import replace

import pytest

from broadcaster.devices.holders import Process
from broadcaster.doctor.checks import candidates, certificate, config, network, service, versions
from broadcaster.doctor.checks.certificate import CertificateState
from broadcaster.doctor.checks.network import Port
from broadcaster.doctor.checks.versions import Versions
from broadcaster.doctor.holders import read_holders
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.names import GROUPS, NAMES
from broadcaster.doctor.result import Level
from broadcaster.doctor.table import CHECKS
from broadcaster.doctor.unit import ServiceUnit, parse
from broadcaster.settings import IceServer, IceSettings, Settings, VideoSettings, WebSettings
from broadcaster.webrtc.ice import Gathered
from tests.rigs.certificates import make_pair
from tests.rigs.doctor import write

OUTPUT = """\
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
RUNNING = parse(OUTPUT)
PACKAGES = dict.fromkeys(("aiortc", "aioice", "pylibsrtp", "av", "aiohttp"), "1.0")


def test_names_are_unique_and_every_check_has_a_limit():
    assert len(set(NAMES)) == len(NAMES)
    assert [check.group for check in CHECKS] == list(GROUPS)
    assert all(check.limit > 0 for check in CHECKS)


def test_output_of_systemctl_is_parsed():
    assert (
        ServiceUnit(
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
        == RUNNING
    )


@pytest.mark.parametrize("output", ["", "LoadState=not-found\nActiveState=inactive\n", "nonsense"])
def test_missing_unit_is_fine(output):
    assert parse(output) == ServiceUnit()
    assert service.evaluate(parse(output)).level is Level.OK


@pytest.mark.parametrize(
    ("changed", "level", "found"),
    [
        ({}, "ok", "running, and starts at boot"),
        ({"ActiveState": "failed", "MainPID": "0"}, "broken", "not running (state: failed)"),
        ({"ActiveState": "activating", "MainPID": "0"}, "broken", "not running (state: activating)"),
        ({"ActiveState": "inactive", "MainPID": "0"}, "warning", "not running"),
        ({"NRestarts": "7"}, "warning", "restarted 7 times"),
        ({"UnitFileState": "disabled"}, "warning", "does not start at boot"),
    ],
)
def test_service_must_run_and_start_at_boot(changed, level, found):
    properties = [line.partition("=")[::2] for line in OUTPUT.splitlines()]
    output = "\n".join(f"{name}={changed.get(name, value)}" for name, value in properties)
    result = service.evaluate(parse(output))
    assert result.level == level
    assert found in result.found


def test_service_without_an_answer_is_broken_once_it_is_active():
    result = service.evaluate(RUNNING, silent_port=8080)
    assert (result.level, result.found) == (Level.BROKEN, "the service is running, but does not answer on port 8080")
    assert service.evaluate(replace(RUNNING, active="activating"), silent_port=8080).level is Level.OK


def test_unreadable_settings_are_broken_with_sudo_as_the_fix():
    result = config.evaluate(Settings(), "/etc/b.toml", ("the file cannot be read: Permission denied",), "/etc/b.toml")
    assert result.level is Level.BROKEN
    assert result.fix.endswith("  sudo broadcaster check")


def test_all_errors_of_the_settings_are_reported_with_the_file_to_edit():
    result = config.evaluate(
        Settings(), "/etc/b.toml", ("web.prot: no such setting", "video.fps = 0: no"), "/etc/b.toml"
    )
    assert result.level is Level.BROKEN
    assert "web.prot: no such setting\nvideo.fps = 0: no" in result.found
    assert result.fix.endswith("sudoedit /etc/b.toml")


def test_settings_of_another_file_than_the_service_s_are_a_warning():
    result = config.evaluate(Settings(), "", (), "/etc/b.toml")
    assert result.level is Level.WARNING
    assert "--settings /etc/b.toml" in result.fix


def test_changed_settings_are_counted():
    assert config.evaluate(Settings(), "", (), "").found == "no settings file; all settings have their default"
    one = Settings(video=VideoSettings(fps=15))
    assert config.evaluate(one, "/a.toml", (), "/a.toml").found == "/a.toml; 1 setting differs from the default"
    two = Settings(video=VideoSettings(fps=15, width=640))
    assert config.evaluate(two, "/a.toml", (), "/a.toml").found == "/a.toml; 2 settings differ from the default"


def test_weak_token_is_a_warning():
    weak = Settings(web=WebSettings(viewer_token="abcabcabcabcabcabcabc"))
    result = config.evaluate(weak, "/a.toml", (), "/a.toml")
    assert (result.level, result.found.splitlines()[-1]) == (Level.WARNING, "web.viewer_token is easy to guess")
    assert "\n  broadcaster token\n" in result.fix


def test_missing_and_unsupported_libraries_are_reported():
    fine = versions.evaluate(Versions((3, 11, 2), PACKAGES | {"picamera2": "0.3.32", "lgpio": ""}))
    assert fine.level is Level.OK
    assert "picamera2 0.3.32" in fine.found
    assert "lgpio" not in fine.found
    assert versions.evaluate(Versions((3, 11, 2), PACKAGES | {"av": ""})).found == "Python packages are missing: av"
    assert versions.evaluate(Versions((3, 14, 0), PACKAGES)).level is Level.BROKEN
    assert (
        versions.evaluate(Versions((3, 13, 0), PACKAGES, unsupported="this release is not supported")).level
        is Level.BROKEN
    )
    old = versions.evaluate(Versions((3, 11, 2), PACKAGES | {"picamera2": "0.3.12"}))
    assert (old.level, "full-upgrade" in old.fix) == (Level.WARNING, True)


def test_libraries_of_this_machine_are_supported():
    assert versions.evaluate(versions.read_versions()).level is Level.OK


NGINX = Process(7, "nginx")


@pytest.mark.parametrize(
    ("port", "level", "found"),
    [
        (Port(8080, "", (), ours=False), "ok", "8080 is free"),
        (Port(0, "", (), ours=False), "ok", "any free port (web.port = 0)"),
        (Port(8080, "in use", (), ours=True), "ok", "8080 is in use by the running broadcaster"),
        (Port(8080, "in use", (NGINX,), ours=False), "broken", "in use\nit is held by nginx (process 7)"),
        (Port(8080, "in use", (), ours=False), "broken", "in use"),
        (
            Port(80, "needs privileges", (), ours=False, denied=True, service=True),
            "ok",
            "80 is free, and the service may use it",
        ),
        (Port(80, "needs privileges", (), ours=False, denied=True), "broken", "needs privileges"),
    ],
)
def test_port_must_be_free_or_held_by_the_broadcaster(port, level, found):
    result = network.evaluate_port(port)
    assert (result.level, result.found) == (level, found)
    assert ("sudo kill 7" in result.fix) == bool(port.holders)
    assert ("sudo make install" in result.fix) == (port.denied and not port.service)


async def test_address_of_another_machine_is_an_error():
    error, denied = await network.try_port("192.0.2.77", 8080)
    assert ("web.host" in error, denied) == (True, False)


async def test_missing_privileges_for_a_port_are_recognised(monkeypatch):
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
def test_addresses_must_be_reachable_from_other_machines(host, links, level):
    assert network.evaluate_addresses(host, links).level == level


def test_link_local_addresses_are_described():
    found = network.evaluate_addresses("", ["http://169.254.3.7:8080/", "http://localhost:8080/"]).found
    assert found.startswith("link-local addresses only: machines on the same cable or Wi-Fi can watch")
    assert "http://169.254.3.7:8080/" in found


TURN = IceSettings((IceServer(("turn:t.example.org",), "u", "p"),))


@pytest.mark.parametrize(
    ("gathered", "settings", "level", "found"),
    [
        (Gathered((("host", "10.0.0.2"), ("host", "fd00::2")), ()), IceSettings(), "ok", "direct: 10.0.0.2, fd00::2"),
        (Gathered((("host", "10.0.0.2"), ("relay", "1.2.3.4")), ()), TURN, "ok", "by relay: 1.2.3.4"),
        (
            Gathered((("host", "10.0.0.2"),), ("no candidate from TURN server t",)),
            TURN,
            "warning",
            "no candidate from TURN",
        ),
        (Gathered((("host", "10.0.0.2"),), ()), TURN, "warning", "cannot use turn:t.example.org"),
        (
            Gathered((("host", "127.0.0.1"),), ()),
            IceSettings(),
            "warning",
            "direct: 127.0.0.1 (viewers on this machine only)",
        ),
        (
            Gathered((), ("no way",)),
            IceSettings(),
            "broken",
            "viewers cannot reach this machine at any address\nno way",
        ),
    ],
)
def test_candidates_must_be_reachable_from_other_machines(gathered, settings, level, found):
    result = candidates.evaluate(gathered, settings)
    assert result.level == level
    assert found in result.found


def test_holders_of_devices_and_ports_are_found(tmp_path):
    write(tmp_path, "proc/77/comm", "rpicam-vid\n")
    write(tmp_path, "proc/self/comm", "not a process id\n")
    (tmp_path / "proc/77/fd").mkdir()
    for number, target in enumerate(("/dev/video0", "/dev/media1", "socket:[4711]", "/home/pi/film")):
        os.symlink(target, tmp_path / f"proc/77/fd/{number}")
    listening = "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1"
    other_user = "   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1"
    connected = "   2: 00000000:1F91 0100007F:0016 01 00000000:00000000 00:00000000 00000000  1000        0 4713 1"
    write(tmp_path, "proc/net/tcp", "\n".join(["  sl  local_address …", listening, other_user, connected, "garbage"]))
    holders = read_holders(tmp_path)
    process = Process(77, "rpicam-vid")
    assert str(process) == "rpicam-vid (process 77)"
    assert holders.of_devices("/dev/video", "/dev/media") == {process}
    assert holders.of_devices("/dev/snd/") == set()
    assert holders.ports == {8080: (process,), 80: ()}


def test_machine_without_proc_has_no_holders(tmp_path):
    assert read_holders(tmp_path).ports == {}


NOW = 1_780_000_000.0


@pytest.mark.parametrize(
    ("state", "level", "found"),
    [
        (CertificateState("", NOW + 80 * 86400), "ok", "/c.pem, valid until 2026-08-16"),
        (CertificateState("", NOW + 13.5 * 86400), "warning", "in 13 days"),
        (CertificateState("", NOW - 60), "broken", "expired on 2026-05-28"),
        (CertificateState("", None), "ok", "expiry date is unknown"),
        (CertificateState("web.key: is not the key", None), "broken", "is not the key"),
    ],
)
def test_certificate_must_be_valid_and_not_expire_soon(state, level, found):
    result = certificate.evaluate(state, "/c.pem", NOW)
    assert result.level == level
    assert found in result.found


def test_expiry_date_of_openssl_is_parsed():
    assert certificate.parse_end("notAfter=Aug 16 20:26:40 2026 GMT") == NOW + 80 * 86400
    assert certificate.parse_end("") is None


def test_certificate_must_match_its_key(tmp_path):
    pair, other = make_pair(tmp_path), tmp_path / "other"
    valid = certificate.read_certificate(Machine(), WebSettings(**pair.settings))
    assert valid.error == ""
    if shutil.which("openssl"):
        assert valid.end == pytest.approx(time.time() + 30 * 86400, abs=86400)
    other.mkdir()
    wrong = WebSettings(certificate=str(pair.certificate), key=str(make_pair(other).key))
    assert "is not the key" in certificate.read_certificate(Machine(), wrong).error
