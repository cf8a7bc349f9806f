"""Checks of service, settings, libraries and certificate."""

import shutil
import time
from dataclasses import replace

import pytest

from broadcaster.doctor.checks import certificate, config, service, versions
from broadcaster.doctor.checks.certificate import CertificateState
from broadcaster.doctor.checks.versions import Versions
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.names import GROUPS, NAMES
from broadcaster.doctor.result import Level
from broadcaster.doctor.table import CHECKS
from broadcaster.doctor.unit import ServiceUnit, parse
from broadcaster.settings import Settings, VideoSettings, WebSettings
from tests.rigs.certificates import make_pair

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
