"""Relays as `broadcaster check` tests them, with a real TURN server on loopback."""

import asyncio
import base64
import hmac
import time

import pytest
from aioice.stun import Class, Message, Method

from broadcaster.devices.clock import SystemClock
from broadcaster.doctor.checks.internet import evaluate_turn
from broadcaster.doctor.result import Level
from broadcaster.settings import IceServer, IceSettings
from broadcaster.webrtc.nat import probe_nat
from broadcaster.webrtc.relays import RelayProblem, probe_relays
from tests.rigs.certificates import make_pair
from tests.rigs.coturn import SECRET, coturn, unavailable
from tests.rigs.daemon import free_port

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

SERVER, PUBLIC = "127.0.0.2", "203.0.113.40"
PUBLICLY = f"--external-ip={PUBLIC}/{SERVER}"


def with_secret(*urls: str, secret: str = SECRET) -> IceSettings:
    return IceSettings((IceServer(urls),), secret)


async def probe(settings: IceSettings):
    return await probe_relays(settings, SystemClock())


async def test_relays_over_udp_and_tcp_with_credentials_made_from_the_secret():
    async with coturn([SERVER], PUBLICLY):
        probes = await probe(with_secret(f"turn:{SERVER}", f"turn:{SERVER}?transport=tcp"))
    assert [probe.address for probe in probes] == [PUBLIC, PUBLIC]
    assert evaluate_turn(probes).level is Level.OK


async def test_relay_over_tls_needs_a_certificate_that_is_trusted(tmp_path, monkeypatch):
    pair = make_pair(tmp_path)
    tls = (f"--cert={pair.certificate}", f"--pkey={pair.key}", PUBLICLY)
    settings = with_secret("turns:localhost")
    async with coturn([SERVER, "127.0.0.1"], *tls, f"--relay-ip={SERVER}"):
        (refused,) = await probe(settings)
        monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
        (accepted,) = await probe(settings)
    assert (refused.problem, accepted.problem) == (RelayProblem.CERTIFICATE, None)
    assert "certificate is not accepted (self-signed certificate)" in evaluate_turn([refused]).found
    assert evaluate_turn([accepted]).found == "turns:localhost: gives a relay over TLS"


async def test_private_address_of_a_relay_is_shown_with_the_setting_that_helps():
    async with coturn([SERVER]):
        result = evaluate_turn(await probe(with_secret(f"turn:{SERVER}")))
    assert (result.level, "external-ip" in result.fix) == (Level.WARNING, True)
    assert result.found.endswith(f"but with the private address {SERVER}")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_wrong_secret_wrong_password_and_expired_credentials_differ(transport):
    url, expired = f"turn:{SERVER}?transport={transport}", f"{int(time.time()) - 60}:anna"
    password = base64.b64encode(hmac.digest(SECRET.encode(), expired.encode(), "sha1")).decode()
    settings = [
        with_secret(url, secret="south-wind"),
        IceSettings((IceServer((url,), "anna", "guessed"),)),
        IceSettings((IceServer((url,), expired, password),)),
    ]
    async with coturn([SERVER]):
        probes = [(await probe(setting))[0] for setting in settings]
    assert [probe.problem for probe in probes] == [
        RelayProblem.CREDENTIALS, RelayProblem.CREDENTIALS, RelayProblem.EXPIRED,
    ]  # fmt: skip
    fixes = [evaluate_turn([probe]).fix for probe in probes]
    assert len(set(fixes)) == 3
    assert "static-auth-secret" in fixes[0]
    for probed in probes:
        shown = str(evaluate_turn([probed]))
        assert not [secret for secret in ("south-wind", "guessed", password, "anna") if secret in shown]


async def test_refused_relay_is_reported_in_the_servers_words():
    async with coturn([SERVER], "--no-udp-relay"):
        (refused,) = await probe(with_secret(f"turn:{SERVER}"))
    assert refused.problem is RelayProblem.REFUSED
    assert "refuses a relay (4" in evaluate_turn([refused]).found


async def test_servers_that_do_not_answer_are_unreachable_without_delaying_each_other():
    port = free_port()
    urls = [f"turn:127.0.0.1:{port}?transport={transport}" for transport in ("udp", "tcp")]
    began = time.monotonic()
    silent, refused, unknown = await probe(with_secret(*urls, "turn:relay.invalid"))
    assert time.monotonic() - began < 20
    assert (silent.problem, silent.detail) == (RelayProblem.UNREACHABLE, "no answer")
    assert (refused.problem, refused.detail) == (RelayProblem.UNREACHABLE, "Connection refused")
    assert unknown.problem in (RelayProblem.NOT_FOUND, RelayProblem.UNREACHABLE)  # the resolver may be slow
    assert "over UDP (no answer)" in evaluate_turn([silent]).found


class Garbage(asyncio.DatagramProtocol):
    """Answers requests with what is no STUN, truncated STUN, and a response without an address."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        empty = bytes(Message(Method.BINDING, Class.RESPONSE, transaction_id=data[8:20]))
        for answer in (b"", b"HTTP/1.1 400 Bad Request", data[:21], b"\1\1" + data[2:], data[:8] + bytes(200), empty):
            self.transport.sendto(answer, address)


async def test_servers_that_answer_with_garbage_count_as_silent():
    def answer(_, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(range(256)))
        writer.close()

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Garbage, local_addr=(SERVER, 0))
    port = transport.get_extra_info("sockname")[1]
    async with await asyncio.start_server(answer, SERVER, port):
        urls = [f"turn:{SERVER}:{port}?transport={transport}" for transport in ("udp", "tcp")]
        settings = with_secret(*urls)
        relays, nat = await asyncio.gather(probe(settings), probe_nat(settings))
    transport.close()
    assert [relay.problem for relay in relays] == [RelayProblem.UNREACHABLE] * 2
    assert [(server.mapped, server.tcp) for server in nat.servers] == [({}, True)]


async def test_turn_over_dtls_is_not_checked():
    (probed,) = await probe(with_secret("turns:localhost?transport=udp"))
    assert evaluate_turn([probed]).level is Level.OK
    assert "not checked" in evaluate_turn([probed]).found
