"""What peer connections share, because hundreds may be made at once: the DTLS certificate and the list of addresses."""

import pytest
from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import SRTP_PROFILES
from ifaddr import IP, Adapter

from broadcaster.webrtc.interfaces import KNOWN_FOR, KnownAddresses
from broadcaster.webrtc.internals import SharedCertificate


def test_context_and_fingerprints_are_made_once():
    certificate = SharedCertificate.generateCertificate()
    assert certificate.getFingerprints() is certificate.getFingerprints()
    assert certificate.getFingerprints() == RTCCertificate.getFingerprints(certificate)
    context = certificate._create_ssl_context(SRTP_PROFILES)
    assert certificate._create_ssl_context(SRTP_PROFILES) is context
    assert certificate._create_ssl_context(SRTP_PROFILES[:1]) is not context


@pytest.fixture
def machine(monkeypatch):
    """This machine's addresses, which can be changed."""
    addresses = ["192.0.2.1"]
    monkeypatch.setattr(
        "ifaddr.get_adapters", lambda: [Adapter("eth0", "eth0", [IP(text, 24, "eth0") for text in addresses], 1)]
    )
    return addresses


def test_addresses_are_found_again_after_a_while(machine):
    known = KnownAddresses()
    assert known.find((), "", 0.0).offered == ("192.0.2.1",)
    machine[:] = ["192.0.2.7"]
    assert known.find((), "", KNOWN_FOR - 0.01).offered == ("192.0.2.1",)
    found = known.find((), "", KNOWN_FOR)
    assert found.offered == ("192.0.2.7",)
    assert found.own == {"192.0.2.7"}


def test_each_viewer_is_offered_the_address_that_it_reached(machine):
    machine[:] = ["192.0.2.1", "192.0.2.7"]
    known = KnownAddresses()
    assert known.find((), "192.0.2.7", 0.0).offered == ("192.0.2.7",)
    assert known.find((), "192.0.2.1", 0.0).offered == ("192.0.2.1",)
