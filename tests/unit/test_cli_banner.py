"""The start block: what a person needs, and no secret in a journal."""

import pytest

from broadcaster.cli.banner import BannerContext, qr_code, start_block, with_token
from broadcaster.model.stats import StreamReport
from broadcaster.settings import Settings, VideoSettings, WebSettings

REPORT = StreamReport("test picture", "libx264", "test tone", 1280, 720, 29.97, 0, 0)
LINKS = ["http://192.168.1.20:8080/", "http://pi.local:8080/"]
CLOSED = Settings(web=WebSettings(viewer_token="a+b/c", max_viewers=5))
BLOCKS = "█▀▄"
TOKEN = "/var/lib/broadcaster/operator_token"


def block(settings, *, report=REPORT, token_file=TOKEN, terminal):
    return start_block(settings, report, BannerContext(LINKS, "sudo broadcaster link", token_file, terminal))


def test_an_open_house_in_a_journal():
    shown = block(Settings(video=VideoSettings(bitrate=800_000)), terminal=False)
    assert shown.splitlines()[2:] == [
        "  Open     http://192.168.1.20:8080/",
        "           http://pi.local:8080/",
        "  Source   test picture, 1280×720, 29.97 pictures a second",
        "  Encoder  libx264, 0.8 Mbit/s",
        "  Sound    test tone",
        "  Viewers  up to 20: everyone who can reach these addresses (web.viewer_token or web.links closes them)",
        "  Control  this machine, and whoever has the token in /var/lib/broadcaster/operator_token",
    ]


def test_of_a_file_nothing_is_claimed_that_only_opening_it_tells():
    film = Settings(video=VideoSettings(source="file", file="/home/pi/film.mp4"))
    report = StreamReport("file", "libx264", "file", 1280, 720, 30, 0, 0)
    assert block(film, report=report, terminal=False).splitlines()[4:6] == [
        "  Source   file, /home/pi/film.mp4",
        "  Encoder  none where the file's H.264 passes through, else libx264, up to 1280×720, 2.5 Mbit/s",
    ]


def test_a_terminal_gets_a_qr_code_and_a_journal_none():
    assert not set(BLOCKS) & set(block(Settings(), terminal=False))
    assert set(BLOCKS) < set(block(Settings(), terminal=True))


def test_the_first_address_is_the_one_in_the_qr_code():
    shown = block(Settings(), terminal=True)
    assert shown.splitlines()[2] == f"  Open     {LINKS[0]}"
    assert shown.endswith(qr_code(LINKS[0]))


def test_the_token_is_in_the_links_of_a_terminal_only():
    assert "http://pi.local:8080/#t=a%2Bb%2Fc\n" in block(CLOSED, terminal=True)
    assert "up to 5: whoever has this link" in block(CLOSED, terminal=True)
    journal = block(CLOSED, terminal=False)
    assert "#t=" not in journal
    assert "a+b/c" not in journal
    assert "up to 5: whoever has the token (web.viewer_token)" in journal


def test_a_token_is_escaped_so_that_the_page_reads_it_back():
    assert with_token("http://a/", "&=+% #") == "http://a/#t=%26%3D%2B%25%20%23"


@pytest.mark.parametrize("terminal", [True, False])
def test_by_links_only_it_says_how_to_make_one_and_no_address_that_leads_to_nothing(terminal):
    shown = block(Settings(web=WebSettings(links=True)), terminal=terminal)
    assert shown.splitlines()[2] == "  Link     sudo broadcaster link --name NAME    (makes one for a viewer)"
    assert "up to 20: whoever has a link\n" in shown
    assert "http" not in shown
    assert not set(BLOCKS) & set(shown)


def test_by_links_and_a_token():
    both = Settings(web=WebSettings(links=True, viewer_token="plain"))
    assert "whoever has a link, and whoever has the token (web.viewer_token)" in block(both, terminal=False)
    assert "plain" not in block(both, terminal=False)
    assert "http" not in block(both, terminal=False)
    assert f"{LINKS[0]}#t=plain\n" in block(both, terminal=True)
    assert "sudo broadcaster link --name" in block(both, terminal=True)


def test_who_may_start_and_stop():
    mine = Settings(web=WebSettings(operator_token="hush"))
    assert "  Control  whoever has web.operator_token" in block(mine, terminal=True)
    assert "hush" not in block(mine, terminal=True)
    assert "  Control  this machine only" in block(Settings(), token_file="", terminal=True)
