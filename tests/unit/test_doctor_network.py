"""Checks of port, addresses and ICE candidates, and the holders of devices and ports."""

import errno
import os

import pytest

from broadcaster.devices.holders import Process
from broadcaster.doctor.checks import candidates, network
from broadcaster.doctor.checks.network import Port
from broadcaster.doctor.holders import read_holders
from broadcaster.settings import IceServer, IceSettings
from broadcaster.webrtc.ice import Gathered
from tests.rigs.doctor import write

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
