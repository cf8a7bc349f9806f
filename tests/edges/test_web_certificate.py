"""Certificate files: names, renewal while the server runs, and error messages."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import aiohttp
import pytest

from broadcaster.errors import BroadcasterError
from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.web import server
from broadcaster.web.certificate import Certificate, certificate_names, load_pair
from tests.edges.test_web_tls import fetch, secured
from tests.edges.web_rig import SignalingClient, WebServerRig, served
from tests.rigs.certificates import NAME, CertificatePair, make_pair


@pytest.fixture
def pair(tmp_path: Path) -> CertificatePair:
    return make_pair(tmp_path)


@pytest.fixture(autouse=True)
def _frequent_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_RELOAD_INTERVAL", 0.05)


async def test_names_in_the_certificate_are_accepted_as_hosts(pair: CertificatePair, tmp_path: Path) -> None:
    async with secured(pair) as rig:

        async def status_for(name: str) -> int:
            connector = aiohttp.TCPConnector(force_close=True, ssl=False)
            async with (
                aiohttp.ClientSession(connector=connector) as client,
                client.get(f"https://localhost:{rig.server.port}/", headers={"Host": name}) as response,
            ):
                return response.status

        assert [await status_for(name) for name in (NAME, "other.example.net")] == [200, 421]
        make_pair(tmp_path, names=("*.example.net",))
        async with asyncio.timeout(10):
            while await status_for("other.example.net") != 200:
                await asyncio.sleep(0.05)
        assert [await status_for(name) for name in (NAME, "a.b.example.net", "example.net")] == [421, 421, 421]


def test_an_unreadable_certificate_has_no_names(pair: CertificatePair, tmp_path: Path) -> None:
    assert certificate_names(pair.certificate) == (NAME, "localhost")
    assert certificate_names(tmp_path / "missing.pem") == ()
    assert certificate_names(pair.key) == ()


async def test_a_renewed_certificate_is_loaded_and_an_invalid_one_is_not(
    pair: CertificatePair, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with secured(pair) as rig:
        before = pair.trusted()
        assert (await fetch(rig, before))[0] == 200
        make_pair(tmp_path)
        after = pair.trusted()
        await until_loaded(rig, after)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await fetch(rig, before)
        pair.key.write_text("-----BEGIN PRIVATE KEY-----\nhalf of\n")
        await until_logged("new certificate is invalid", caplog)
        assert (await fetch(rig, after))[0] == 200, "the current certificate stays in use"
        make_pair(tmp_path)
        await until_loaded(rig, pair.trusted())
    assert sum("new certificate is invalid, keeping the current one" in message for message in caplog.messages) == 1
    assert str(pair.key) in caplog.text
    assert caplog.messages.count("certificate renewed") == 2


async def test_connections_survive_a_renewal(pair: CertificatePair, tmp_path: Path) -> None:
    async with secured(pair) as rig:
        url = f"https://localhost:{rig.server.port}/ws"
        viewer = SignalingClient(await rig.client.ws_connect(url, protocols=[SUBPROTOCOL], ssl=pair.trusted()))
        await viewer.join()
        make_pair(tmp_path)
        await until_loaded(rig, pair.trusted())
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")


def test_a_renewal_is_loaded_when_both_files_are_complete(pair: CertificatePair, tmp_path: Path) -> None:
    certificate = Certificate(**pair.settings)
    certificate.load()
    old_key = pair.key.read_bytes()
    make_pair(tmp_path)
    new_key = pair.key.read_bytes()
    pair.key.write_bytes(old_key)
    assert certificate.reload_if_changed() is False, "just written: the key may follow"
    pair.key.write_bytes(new_key)
    assert certificate.reload_if_changed() is False
    assert certificate.reload_if_changed() is True
    assert certificate.reload_if_changed() is False
    pair.certificate.unlink()
    assert certificate.reload_if_changed() is False, "while a file is missing, nothing changes"


def test_an_invalid_certificate_is_reported_once(pair: CertificatePair, tmp_path: Path) -> None:
    certificate = Certificate(**pair.settings)
    certificate.load()
    pair.certificate.write_text("nonsense")
    assert certificate.reload_if_changed() is False
    with pytest.raises(BroadcasterError, match="contains no certificate"):
        certificate.reload_if_changed()
    assert certificate.reload_if_changed() is False


def test_errors_name_setting_file_and_reason(pair: CertificatePair, tmp_path: Path) -> None:
    def error(certificate: Path, key: Path) -> str:
        with pytest.raises(BroadcasterError) as caught:
            load_pair(certificate, key)
        return str(caught.value)

    (tmp_path / "other").mkdir()
    other = make_pair(tmp_path / "other")
    (tmp_path / "secret").mkdir()
    locked = make_pair(tmp_path / "secret", password=b"hush")
    nothing, broken = tmp_path / "nothing.pem", tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n")
    assert error(nothing, pair.key) == f"web.certificate: {nothing} cannot be read: No such file or directory"
    assert error(pair.certificate, tmp_path) == f"web.key: {tmp_path} cannot be read: Is a directory"
    assert error(pair.key, pair.key) == f"web.certificate: {pair.key} contains no certificate in PEM format"
    assert (
        error(pair.certificate, pair.certificate)
        == f"web.key: {pair.certificate} contains no private key in PEM format"
    )
    assert "is not the key of the certificate" in error(pair.certificate, other.key)
    assert error(locked.certificate, locked.key).startswith(f"web.key: {locked.key} is encrypted with a password")
    assert error(broken, pair.key).startswith(f"web.certificate, web.key: {broken} and {pair.key} cannot be used: ")


async def test_an_invalid_certificate_prevents_the_start(tmp_path: Path) -> None:
    with pytest.raises(BroadcasterError, match=r"web\.certificate: .*nothing\.pem"):
        async with served(certificate=str(tmp_path / "nothing.pem"), key=str(tmp_path / "nothing.pem")):
            pass


async def until_loaded(rig: WebServerRig, trusted: ssl.SSLContext) -> None:
    """Wait until new connections get that certificate."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectorCertificateError):
                await fetch(rig, trusted)
                return
            await asyncio.sleep(0.05)


async def until_logged(text: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(10):
        while text not in caplog.text:
            await asyncio.sleep(0.05)
