"""The start banner: contents, and no secrets in a journal."""

import pytest

from broadcaster.cli.banner import BannerContext, qr_code, start_banner, with_token
from broadcaster.model.stats import StreamReport
from broadcaster.settings import Settings, VideoSettings, WebSettings

REPORT = StreamReport("test picture", "libx264", "test tone", 1280, 720, 29.97, 0, 0)
LINKS = ["http://192.168.1.20:8080/", "http://pi.local:8080/"]
CLOSED = Settings(web=WebSettings(viewer_token="a+b/c", max_viewers=5))
BLOCKS = "█▀▄"
TOKEN = "/var/lib/broadcaster/operator_token"


def banner(settings, *, report=REPORT, token_file=TOKEN, terminal):
    return start_banner(settings, report, BannerContext(LINKS, "sudo broadcaster link", token_file, terminal))


def test_banner_in_a_journal_without_access_restrictions():
    shown = banner(Settings(video=VideoSettings(bitrate=800_000)), terminal=False)
    assert shown.splitlines()[2:] == [
        "  Open     http://192.168.1.20:8080/",
        "           http://pi.local:8080/",
        "  Source   test picture, 1280×720, 29.97 fps",
        "  Encoder  libx264, 0.8 Mbit/s",
        "  Audio    test tone",
        "  Viewers  up to 20: anyone who can reach these addresses (to restrict access: web.viewer_token or web.links)",
        "  Control  this machine, and anyone with the token in /var/lib/broadcaster/operator_token",
    ]


def test_size_and_rate_of_a_file_are_not_shown():
    film = Settings(video=VideoSettings(source="file", file="/home/pi/film.mp4"))
    report = StreamReport("file", "libx264", "file", 1280, 720, 30, 0, 0)
    assert banner(film, report=report, terminal=False).splitlines()[4:6] == [
        "  Source   file, /home/pi/film.mp4",
        "  Encoder  none if the file's H.264 can be passed through; otherwise libx264, up to 1280×720, 2.5 Mbit/s",
    ]


def test_qr_code_is_printed_only_on_a_terminal():
    assert not set(BLOCKS) & set(banner(Settings(), terminal=False))
    assert set(BLOCKS) < set(banner(Settings(), terminal=True))


def test_qr_code_has_the_first_address():
    shown = banner(Settings(), terminal=True)
    assert shown.splitlines()[2] == f"  Open     {LINKS[0]}"
    assert shown.endswith(qr_code(LINKS[0]))


def test_links_have_the_token_only_on_a_terminal():
    assert "http://pi.local:8080/#t=a%2Bb%2Fc\n" in banner(CLOSED, terminal=True)
    assert "up to 5: anyone with this link" in banner(CLOSED, terminal=True)
    journal = banner(CLOSED, terminal=False)
    assert "#t=" not in journal
    assert "a+b/c" not in journal
    assert "up to 5: anyone with the token (web.viewer_token)" in journal


def test_token_is_escaped():
    assert with_token("http://a/", "&=+% #") == "http://a/#t=%26%3D%2B%25%20%23"


@pytest.mark.parametrize("terminal", [True, False])
def test_links_only_banner_shows_the_link_command_and_no_address(terminal):
    shown = banner(Settings(web=WebSettings(links=True)), terminal=terminal)
    assert shown.splitlines()[2] == "  Link     sudo broadcaster link --name NAME    (creates a viewer link)"
    assert "up to 20: anyone with a viewer link\n" in shown
    assert "http" not in shown
    assert not set(BLOCKS) & set(shown)


def test_banner_with_links_and_a_token():
    both = Settings(web=WebSettings(links=True, viewer_token="plain"))
    assert "anyone with a viewer link, and anyone with the token (web.viewer_token)" in banner(both, terminal=False)
    assert "plain" not in banner(both, terminal=False)
    assert "http" not in banner(both, terminal=False)
    assert f"{LINKS[0]}#t=plain\n" in banner(both, terminal=True)
    assert "sudo broadcaster link --name" in banner(both, terminal=True)


def test_control_row():
    restricted = Settings(web=WebSettings(operator_token="hush"))
    assert "  Control  anyone with the token (web.operator_token)" in banner(restricted, terminal=True)
    assert "hush" not in banner(restricted, terminal=True)
    assert "  Control  this machine only" in banner(Settings(), token_file="", terminal=True)


def test_owner_s_link_is_printed_with_its_own_qr_code():
    context = BannerContext(LINKS, "link", TOKEN, terminal=True, owner_code="once")
    shown = start_banner(Settings(), REPORT, context)
    assert "  Owner    http://192.168.1.20:8080/owner#t=once    (once, within 10 minutes)\n" in shown
    titles = [line for line in shown.splitlines() if line.endswith(":")]
    assert titles == ["  For the owner only:", "  For viewers:"]
    assert qr_code(f"{LINKS[0]}owner#t=once") in shown
    without_viewers = start_banner(Settings(web=WebSettings(links=True)), REPORT, context)
    assert without_viewers.endswith(qr_code(f"{LINKS[0]}owner#t=once"))
