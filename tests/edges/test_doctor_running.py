"""Asking who listens on our port whether it is a broadcaster."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from broadcaster.doctor.context import Running, ask_running
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


class Answer(BaseHTTPRequestHandler):
    """Answers everything with its server's `body`."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def answering(body: bytes, context: ssl.SSLContext | None = None):
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        server.body = body
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_broadcaster_says_what_it_does():
    with answering(json.dumps(STATUS).encode()) as port:
        running = ask_running(WebSettings(host="127.0.0.1", port=port))
    assert running == Running("live", "", "on", "picamera2 (imx708)", "hardware", "alsa", 1280, 720, 30.0, 77, 2)
    assert running.holds_devices


def test_one_with_a_certificate_is_believed_on_its_own_machine(tmp_path):
    pair = make_pair(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    offline = STATUS | {"stream": {"state": "offline", "since": 1.0, "sound": "none"}}
    with answering(json.dumps(offline).encode(), context) as port:
        running = ask_running(WebSettings(host="127.0.0.1", port=port, **pair.settings))
    assert running is not None
    assert not running.holds_devices


@pytest.mark.parametrize("body", [b"", b"<!doctype html>", b"[]", b'{"stream": null}', b"\xff" * 100])
def test_anybody_else_is_none(body):
    with answering(body) as port:
        assert ask_running(WebSettings(host="127.0.0.1", port=port)) is None


def test_a_server_that_speaks_something_else_is_none():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert ask_running(WebSettings(host="127.0.0.1", port=server.getsockname()[1])) is None
        thread.join()


def test_nobody_is_none(monkeypatch):
    monkeypatch.setattr(daemon_client, "TIMEOUT", 0.2)
    assert ask_running(WebSettings(host="127.0.0.1", port=free_port())) is None
    assert ask_running(WebSettings(host="::1", port=free_port())) is None
    assert ask_running(WebSettings(port=0)) is None
