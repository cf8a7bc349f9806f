"""What reaches the service manager's socket, by path and by abstract name."""

import os
import socket

import pytest

from broadcaster.service.notify import NotifySocket, watchdog_interval


@pytest.fixture
def manager():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5)
        yield listening


def test_assignments_arrive_as_one_datagram_at_a_path(manager, tmp_path):
    manager.bind(str(tmp_path / "notify"))
    assert NotifySocket(str(tmp_path / "notify")).send("READY=1", "STATUS=on air – 3")
    assert manager.recv(4096) == "READY=1\nSTATUS=on air – 3".encode()


def test_assignments_arrive_at_an_abstract_name(manager):
    name = f"broadcaster-test-{os.getpid()}"
    manager.bind("\0" + name)
    assert NotifySocket("@" + name).send("WATCHDOG=1")
    assert manager.recv(4096) == b"WATCHDOG=1"


def test_without_a_service_manager_nothing_is_sent_and_nothing_fails():
    nobody = NotifySocket("")
    assert not nobody
    assert nobody.send("READY=1")


def test_a_service_manager_that_is_gone_or_busy_is_no_error_and_no_wait(manager, tmp_path):
    path = str(tmp_path / "notify")
    assert not NotifySocket(path).send("READY=1")
    manager.bind(path)
    sent = sum(NotifySocket(path).send("WATCHDOG=1") for _ in range(5000))
    assert 0 < sent < 5000, "a full socket must refuse, not block"
    while sent:
        sent -= 1
        manager.recv(4096)
    assert NotifySocket(path).send("WATCHDOG=1")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "8000000"}, 8.0),
        ({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": str(os.getpid())}, 8.0),
        ({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": ""}, None),
    ],
)
def test_the_watchdog_is_the_one_that_the_environment_names(environ, seconds):
    assert watchdog_interval(environ) == seconds
