"""`broadcaster link`: what it prints, and when it refuses."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from broadcaster.cli import links, main
from broadcaster.cli.links import Asked
from broadcaster.control.secret_file import SecretFile, own_secrets
from broadcaster.errors import BroadcasterError
from broadcaster.settings import Settings, read
from broadcaster.signaling.links import Link, read_link

NOW = 1_800_000_000.5
ASKED = Asked(7200, "Anna", None)


def closed(folder: Path, *more: str) -> Settings:
    return read("", ["web.links=true", "web.host=192.0.2.7", f"stream.state_dir={folder}", *more])


def link_key(folder: Path) -> SecretFile:
    return own_secrets(folder).link_key


def token_of(link: str) -> str:
    return unquote(link.split("#t=")[1])


def test_the_link_is_signed_with_the_daemon_s_key(tmp_path):
    (link,) = links.make(closed(tmp_path), ASKED, NOW, terminal=False).splitlines()
    assert link.startswith("http://192.0.2.7:8080/#t=")
    assert read_link(token_of(link), link_key(tmp_path).read()) == Link("Anna", 1_800_000_000, 7200)


def test_a_terminal_gets_the_end_and_a_qr_code(tmp_path):
    said = links.make(closed(tmp_path), ASKED, NOW, terminal=True)
    assert re.search(r"For +Anna\n +Until +2027-01-15 \d\d:00 \w+\n", said)
    assert set("█▀▄") < set(said)


def test_under_the_address_that_was_said(tmp_path):
    said = links.make(closed(tmp_path), Asked(60, "", "https://cam.example.org/live/"), NOW, terminal=False)
    assert said.startswith("https://cam.example.org/live/#t=")
    assert "\n" not in said


def test_it_would_open_nothing_where_links_do_not_count(tmp_path):
    with pytest.raises(BroadcasterError, match=r"web\.links is false"):
        links.make(read("", [f"stream.state_dir={tmp_path}"]), ASKED, NOW, terminal=False)
    assert not list(tmp_path.iterdir())


def test_a_clock_that_was_never_set_makes_no_links(tmp_path):
    with pytest.raises(BroadcasterError, match=r"clock was never set: it says 1970-01-01 00:00 UTC"):
        links.make(closed(tmp_path), ASKED, 7.0, terminal=False)


def test_a_port_that_only_the_daemon_knows(tmp_path):
    with pytest.raises(BroadcasterError, match=r"web\.port is 0.*--address"):
        links.make(closed(tmp_path, "web.port=0"), ASKED, NOW, terminal=False)


def test_revoking_makes_another_key(tmp_path):
    key = link_key(tmp_path)
    before = key.made()
    assert str(key.path) in links.revoke(closed(tmp_path))
    assert key.read() != before


def test_the_service_s_key_is_used_where_this_user_has_none(tmp_path, monkeypatch):
    service = tmp_path / "service"
    service.mkdir()
    monkeypatch.setattr(links, "SERVICE_FOLDER", service)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    settings = read("", ["web.links=true", "web.host=192.0.2.7"])
    links.make(settings, ASKED, NOW, terminal=False)
    assert (service / "link_key").exists()
    link_key(tmp_path / "own" / "broadcaster").made()
    link = links.make(settings, ASKED, NOW, terminal=False)
    assert read_link(token_of(link), link_key(tmp_path / "own" / "broadcaster").read())


def test_the_command(tmp_path, capsys):
    chosen = ["--set", "web.links=true", "--set", "web.host=192.0.2.7", "--set", f"stream.state_dir={tmp_path}"]
    assert main(["link", "--hours", "0.5", "--name", "Jürgen", *chosen]) == 0
    (link,) = capsys.readouterr().out.splitlines()
    read_back = read_link(token_of(link), link_key(tmp_path).read())
    assert read_back is not None
    assert (read_back.name, read_back.seconds) == ("Jürgen", 1800)
    assert main(["link", "--revoke", *chosen]) == 0
    assert read_link(token_of(link), link_key(tmp_path).read()) is None


def test_the_command_says_why_not(tmp_path, capsys):
    assert main(["link", "--set", f"stream.state_dir={tmp_path}"]) == 1
    assert capsys.readouterr().err.startswith("broadcaster: web.links is false")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--hours", "0"], ["--hours", "-1"], ["--hours", "nan"], ["--hours", "inf"], ["--hours", "two"],
        ["--name", "x" * 41], ["--name", "a\nb"], ["--address", "cam.example.org"], ["--address", "ftp://x/"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["link", *wrong])
    assert ended.value.code == 2
    assert "must be" in capsys.readouterr().err
