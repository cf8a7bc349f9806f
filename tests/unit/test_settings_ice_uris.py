"""STUN and TURN URIs: one grammar for the settings, for media servers and for the checks."""

import pytest

from broadcaster.errors import SettingsError
from broadcaster.settings import read
from broadcaster.settings.ice_uris import ServerUri, parse_uri
from broadcaster.web.push.whip import ice_servers


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("stun:a.example", ServerUri(False, "a.example", 3478, "udp", secure=False)),
        ("stun:a.example.:99", ServerUri(False, "a.example.", 99, "udp", secure=False)),
        ("turn:192.0.2.1?transport=tcp", ServerUri(True, "192.0.2.1", 3478, "tcp", secure=False)),
        ("turns:[2001:db8::1]:443", ServerUri(True, "2001:db8::1", 443, "tcp", secure=True)),
    ],
)
def test_parts(uri, parts):
    assert parse_uri(uri) == parts


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://a", "no scheme"),
        ("stun:", "no host"),
        ("stun:me@a", "something else"),
        ("stun:a..b", "host"),
        (f"stun:{'a' * 64}.b", "host"),
        ("stun:[::::]", "host"),
        ("stun:[1.2.3.4]", "host"),
        ("stun:a:0", "port"),
        ("turn:a:70000", "port"),
        ("stun:a?transport=udp", "transport"),
        ("turn:a?transport=sctp", "something else"),
    ],
)
def test_invalid_uris_are_refused_everywhere_with_the_wrong_part(uri, problem):
    with pytest.raises(ValueError, match=problem):
        parse_uri(uri)
    with pytest.raises(SettingsError, match=rf"ice\.servers\[0\]\.urls\[0\] = .*; .*{problem}"):
        read(f'[[ice.servers]]\nurls = ["{uri}"]\n')
    assert ice_servers([f"<{uri}>; rel=ice-server; username=u; credential=c"]) == ()
