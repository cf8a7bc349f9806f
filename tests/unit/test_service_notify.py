"""Datagrams to the service manager's socket, and its environment variables."""

import os
import socket

import pytest

from broadcaster.service.notify import NotifySocket, watchdog_interval


@pytest.fixture
def manager():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        yield receiver


def test_assignments_are_one_datagram_to_a_path(manager, tmp_path):
    manager.bind(str(tmp_path / "notify"))
    assert NotifySocket(str(tmp_path / "notify")).send("READY=1", "STATUS=live – 3")
    assert manager.recv(4096) == "READY=1\nSTATUS=live – 3".encode()


def test_assignments_are_sent_to_an_abstract_name(manager):
    name = f"broadcaster-test-{os.getpid()}"
    manager.bind("\0" + name)
    assert NotifySocket("@" + name).send("WATCHDOG=1")
    assert manager.recv(4096) == b"WATCHDOG=1"


def test_send_does_nothing_without_a_service_manager():
    notify_socket = NotifySocket("")
    assert not notify_socket
    assert notify_socket.send("READY=1")


def test_send_neither_fails_nor_blocks_if_the_service_manager_is_gone_or_busy(manager, tmp_path):
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
def test_watchdog_interval_is_read_from_the_environment(environ, seconds):
    assert watchdog_interval(environ) == seconds
