"""Kinds of settings with values of their own: ICE servers, ports, pins, camera controls, networks; and constraints."""

import itertools

import pytest

from broadcaster.settings import IceServer, read
from tests.unit.test_settings_reading import problems


def test_a_turn_secret_may_be_short():
    ice = "ice.servers=[{urls = ['turn:turn.example.org']}]"
    assert read("", [ice, "ice.turn_secret=short"]).ice.turn_secret == "short"


def test_ice_servers_are_read():
    settings = read('[[ice.servers]]\nurls = ["stun:stun.example.org", "stuns:[2001:db8::1]:5349"]\n')
    assert settings.ice.servers == (IceServer(("stun:stun.example.org", "stuns:[2001:db8::1]:5349")),)
    turn = "ice.servers=[{urls = ['turn:a.example:3478?transport=udp'], username = 'me', credential = 'hush'}]"
    assert read("", [turn]).ice.servers == (IceServer(("turn:a.example:3478?transport=udp",), "me", "hush"),)


@pytest.mark.parametrize(
    ("servers", "problem"),
    [
        ("[{}]", "ice.servers[0].urls: must have at least one URI"),
        ("[{urls = ['http://a']}]", 'ice.servers[0].urls[0] = "http://a": must be a URI such as '),
        ("[{urls = ['stun:a?transport=udp']}]", 'ice.servers[0].urls[0] = "stun:a?transport=udp": must be a URI'),
        (
            "[{urls = ['turn:a']}]",
            "ice.servers: a TURN server has no credential; set its username and ",
        ),
        (
            "[{urls = ['turn:a'], username = 'me'}]",
            "ice.servers[0]: only one of username and credential is set; set both, or none",
        ),
        (
            "[{urls = ['stun:a'], user = 'me'}]",
            "ice.servers[0].user: no such field; the fields are urls, username, credential",
        ),
        ("{urls = ['stun:a']}", "ice.servers: must be a list of tables such as "),
    ],
)
def test_invalid_ice_servers_are_reported(servers, problem):
    (reported,) = problems("", f"ice.servers={servers}")
    assert reported.startswith(problem)


def test_a_turn_server_without_credential_may_use_the_secret():
    settings = read("", ["ice.servers=[{urls = ['turn:a.example']}]", "ice.turn_secret=hush"])
    assert settings.ice.servers == (IceServer(("turn:a.example",)),)
    assert settings.ice.turn_secret == "hush"
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    "servers", ["[]", "[{urls = ['stun:a']}]", "[{urls = ['turn:a'], username = 'me', credential = 'x'}]"]
)
def test_a_turn_secret_without_a_server_that_uses_it_is_reported(servers):
    (problem,) = problems("", f"ice.servers={servers}", "ice.turn_secret=hush")
    assert problem.startswith("ice.turn_secret = (set): no server uses it; add a TURN server")


def test_a_port_range_includes_both_ends():
    assert read("", ["ice.ports=50000-50100"]).ice.ports == range(50000, 50101)
    assert read("[ice]\nports = ''").ice.ports == range(0)


@pytest.mark.parametrize(
    "text", ["50100-50000", "80-90", "65000-65536", "50000", "50000-", "a-b", "5e4-5e4", "٥٠٠٠-٦٠٠٠"]
)
def test_invalid_port_ranges_are_reported(text):
    (problem,) = problems("", f"ice.ports={text}")
    assert problem.startswith("ice.ports = ")
    assert problem.endswith('must be a range of ports from 1024 to 65535 such as "50000-50100", or empty')


def test_fewer_ports_than_viewers_are_reported():
    (problem,) = problems("", "ice.ports=50000-50018")
    assert problem.startswith("ice.ports: has fewer ports than web.max_viewers")
    assert read("", ["ice.ports=50000-50019"])


def test_pins_are_numbers_or_off():
    panel = read("[panel]\nlamp = 0\nstop = 27", ["panel.button=off", "panel.enabled=true"]).panel
    assert (panel.button, panel.lamp, panel.stop, panel.start) == (None, 0, 27, None)
    assert panel.enabled is True


@pytest.mark.parametrize("value", ["28", "-1", "true", "17.0", "GPIO17", "[17]", ""])
def test_invalid_pins_are_reported(value):
    (problem,) = problems("", f"panel.button={value}")
    assert problem.endswith('must be a BCM number from 0 to 27, or "off"')


@pytest.mark.parametrize("value", ["yes", "1", "", '"true"'])
def test_a_bool_is_true_or_false(value):
    (problem,) = problems("", f"panel.enabled={value}")
    assert problem.endswith("must be true or false")


PINS = ["button", "start", "stop", "lamp", "watch_lamp"]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(PINS, 2)))
def test_two_functions_on_the_same_pin_are_reported(first, second):
    (problem,) = problems("", f"panel.{first}=5", f"panel.{second}=5")
    assert problem.startswith(f"panel.{first} and panel.{second}: both use the same pin; ")


def test_several_pins_may_be_off():
    read("", [f"panel.{name}=off" for name in PINS])


@pytest.mark.parametrize(("pull", "active", "is_valid"), [
    ("up", "low", True), ("up", "high", False), ("down", "low", False), ("down", "high", True),
    ("none", "low", True), ("none", "high", True),
])  # fmt: skip
def test_a_pull_towards_the_active_level_is_reported(pull, active, is_valid):
    assignments = ["panel.pull=" + pull, "panel.button_active=" + active]
    if is_valid:
        read("", assignments)
    else:
        assert "a released button reads as pressed" in problems("", *assignments)[0]


def test_camera_controls_are_a_table_with_any_names():
    settings = read("[video.controls]\nExposureTime = 10000\nScalerCrop = [0, 0, 640, 360]\n")
    assert settings.video.controls == (("ExposureTime", 10000), ("ScalerCrop", (0, 0, 640, 360)))
    assert read("", ["video.controls={AwbMode = 1}"]).video.controls == (("AwbMode", 1),)
    assert problems("", "video.controls=AwbMode") == [
        'video.controls = "AwbMode": must be a table such as {AwbMode = 4}'
    ]
    assert problems("", "video.controls={A = 1979-05-27, B = [{}]}") == [
        "video.controls.A = 1979-05-27: must be true or false, a number, a text, or a list of them",
        "video.controls.B = [{}]: must be true or false, a number, a text, or a list of them",
    ]


def test_rotation_is_limited_to_what_camera_hardware_supports():
    assert read("", ["video.rotation=180"]).video.rotation == 180
    assert problems("", "video.rotation=90") == ["video.rotation = 90: must be one of 0, 180"]


def test_interfaces_are_interface_names():
    assert read("", ["ice.interfaces=['eth0', 'wlan0']"]).ice.interfaces == ("eth0", "wlan0")
    (problem,) = problems("", "ice.interfaces=['eth0', 'a/b']")
    assert problem == 'ice.interfaces[1] = "a/b": must be the name of a network interface such as eth0'


@pytest.mark.parametrize(
    ("toml", "networks"),
    [
        ('["127.0.0.1", "::1"]', ("127.0.0.1", "::1")),
        ('["192.168.1.0/24", "2001:DB8::/32"]', ("192.168.1.0/24", "2001:db8::/32")),
        ("[]", ()),
    ],
)
def test_trusted_proxies_are_addresses_and_networks(toml, networks):
    assert read("", [f"web.trusted_proxies={toml}"]).web.trusted_proxies == networks


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        (
            '["192.168.1.7/24"]',
            '[0] = "192.168.1.7/24": must be an IP address or network such as 192.168.1.0/24; '
            "did you mean 192.168.1.0/24?",
        ),
        ('["127.0.0.1", "proxy"]', '[1] = "proxy": must be an IP address or network such as 192.168.1.0/24'),
        ('["10.0.0.0/33"]', '[0] = "10.0.0.0/33": must be an IP address or network such as 192.168.1.0/24'),
        ("[1]", "[0] = 1: must be an IP address or network such as 192.168.1.0/24"),
        ('"127.0.0.1"', ' = "127.0.0.1": must be a list such as ["127.0.0.1"]'),
    ],
)
def test_invalid_trusted_proxies_are_reported(toml, problem):
    assert problems("", f"web.trusted_proxies={toml}") == [f"web.trusted_proxies{problem}"]


@pytest.mark.parametrize("alone", ["web.certificate=/a.pem", "web.key=/b.pem"])
def test_a_certificate_without_key_or_vice_versa_is_reported(alone):
    (problem,) = problems("", alone)
    assert problem.startswith("web.certificate and web.key: only one of them is set; ")
