"""Querying the program on our port: a broadcaster, another server, or none."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from broadcaster.doctor.context import DaemonStatus, query_status
from broadcaster.service import daemon_client
from broadcaster.settings import WebSettings
from tests.rigs.certificates import make_pair
from tests.rigs.daemon import free_port

STATUS = {
    "stream": {"state": "live", "since": 1.0, "sound": "on"},
    "viewers": 2,
    "source": "picamera2 (imx708)",
    "encoder": "hardware",
    "audio_source": "alsa",
    "width": 1280,
    "height": 720,
    "fps": 30.0,
    "pictures": 77,
}


class FixedAnswer(BaseHTTPRequestHandler):
    """Answers every request with its server's `body`."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(body: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve `body` on a free port, and return the port."""
    with HTTPServer(("127.0.0.1", 0), FixedAnswer) as server:
        server.body = body
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_status_of_a_broadcaster_is_returned():
    with served(json.dumps(STATUS).encode()) as port:
        status = query_status(WebSettings(host="127.0.0.1", port=port))
    assert status == DaemonStatus("live", "", "on", "picamera2 (imx708)", "hardware", "alsa", 1280, 720, 30.0, 77, 2)
    assert status.holds_devices


def test_self_signed_certificate_is_accepted_on_this_machine(tmp_path):
    pair = make_pair(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    offline = STATUS | {"stream": {"state": "offline", "since": 1.0, "sound": "none"}}
    with served(json.dumps(offline).encode(), context) as port:
        status = query_status(WebSettings(host="127.0.0.1", port=port, **pair.settings))
    assert status is not None
    assert not status.holds_devices


@pytest.mark.parametrize("body", [b"", b"<!doctype html>", b"[]", b'{"stream": null}', b"\xff" * 100])
def test_other_http_server_has_no_status(body):
    with served(body) as port:
        assert query_status(WebSettings(host="127.0.0.1", port=port)) is None


def test_server_of_another_protocol_has_no_status():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert query_status(WebSettings(host="127.0.0.1", port=server.getsockname()[1])) is None
        thread.join()


def test_port_without_a_server_has_no_status(monkeypatch):
    monkeypatch.setattr(daemon_client, "TIMEOUT", 0.2)
    assert query_status(WebSettings(host="127.0.0.1", port=free_port())) is None
    assert query_status(WebSettings(host="::1", port=free_port())) is None
    assert query_status(WebSettings(port=0)) is None
