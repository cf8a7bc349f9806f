"""The start block: what a person needs, and no secret in a journal."""

from broadcaster.cli.banner import start_block, with_token
from broadcaster.model.stats import StreamReport
from broadcaster.settings import Settings, VideoSettings, WebSettings

REPORT = StreamReport("test picture", "libx264", "test tone", 1280, 720, 29.97, 0, 0)
LINKS = ["http://pi.local:8080/", "http://192.168.1.20:8080/"]
CLOSED = Settings(web=WebSettings(viewer_token="a+b/c", max_viewers=5))
BLOCKS = "█▀▄"
TOKEN = "/var/lib/broadcaster/operator_token"


def test_an_open_house_in_a_journal():
    block = start_block(Settings(video=VideoSettings(bitrate=800_000)), REPORT, LINKS, TOKEN, terminal=False)
    assert block.splitlines()[2:] == [
        "  Open     http://pi.local:8080/",
        "           http://192.168.1.20:8080/",
        "  Source   test picture, 1280×720, 29.97 pictures a second",
        "  Encoder  libx264, 0.8 Mbit/s",
        "  Sound    test tone",
        "  Viewers  up to 20: everyone who can reach these addresses (web.viewer_token or web.links closes them)",
        "  Control  this machine, and whoever has the token in /var/lib/broadcaster/operator_token",
    ]


def test_of_a_file_nothing_is_claimed_that_only_opening_it_tells():
    film = Settings(video=VideoSettings(source="file", file="/home/pi/film.mp4"))
    report = StreamReport("file", "libx264", "file", 1280, 720, 30, 0, 0)
    assert start_block(film, report, LINKS, TOKEN, terminal=False).splitlines()[4:6] == [
        "  Source   file, /home/pi/film.mp4",
        "  Encoder  none where the file's H.264 passes through, else libx264, up to 1280×720, 2.5 Mbit/s",
    ]


def test_a_terminal_gets_a_qr_code_and_a_journal_none():
    assert not set(BLOCKS) & set(start_block(Settings(), REPORT, LINKS, TOKEN, terminal=False))
    assert set(BLOCKS) < set(start_block(Settings(), REPORT, LINKS, TOKEN, terminal=True))


def test_the_qr_code_is_the_one_of_the_link_that_phones_can_open():
    by_name_first = start_block(Settings(), REPORT, LINKS, TOKEN, terminal=True)
    only_by_ip = start_block(Settings(), REPORT, LINKS[1:], TOKEN, terminal=True)
    assert by_name_first.split("\n\n")[-1] == only_by_ip.split("\n\n")[-1]


def test_the_token_is_in_the_links_of_a_terminal_only():
    assert "http://pi.local:8080/#t=a%2Bb%2Fc\n" in start_block(CLOSED, REPORT, LINKS, TOKEN, terminal=True)
    assert "up to 5: whoever has this link" in start_block(CLOSED, REPORT, LINKS, TOKEN, terminal=True)
    journal = start_block(CLOSED, REPORT, LINKS, TOKEN, terminal=False)
    assert "#t=" not in journal
    assert "a+b/c" not in journal
    assert "up to 5: whoever has the token (web.viewer_token)" in journal


def test_a_token_is_escaped_so_that_the_page_reads_it_back():
    assert with_token("http://a/", "&=+% #") == "http://a/#t=%26%3D%2B%25%20%23"


def test_who_may_watch_by_links():
    by_link = start_block(Settings(web=WebSettings(links=True)), REPORT, LINKS, TOKEN, terminal=True)
    assert "up to 20: whoever has a link from `broadcaster link`\n" in by_link
    both = start_block(Settings(web=WebSettings(links=True, viewer_token="plain")), REPORT, LINKS, "", terminal=False)
    assert "`broadcaster link`, and whoever has the token (web.viewer_token)" in both
    assert "plain" not in both


def test_who_may_start_and_stop():
    mine = Settings(web=WebSettings(operator_token="hush"))
    assert "  Control  whoever has web.operator_token" in start_block(mine, REPORT, LINKS, TOKEN, terminal=True)
    assert "hush" not in start_block(mine, REPORT, LINKS, TOKEN, terminal=True)
    assert "  Control  this machine only" in start_block(Settings(), REPORT, LINKS, "", terminal=True)
