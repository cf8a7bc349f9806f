"""`broadcaster link`: what it prints, and when it refuses."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from broadcaster.auth.links import Link, read_link
from broadcaster.cli import links, main
from broadcaster.cli.links import LinkRequest
from broadcaster.doctor.unit import Service
from broadcaster.errors import BroadcasterError
from broadcaster.settings import Settings, read
from broadcaster.storage.secrets import SecretFile, state_secrets

NOW = 1_800_000_000.5
REQUEST = LinkRequest(7200, "Anna", None)


def closed(folder: Path, *more: str) -> Settings:
    return read("", ["web.links=true", "web.host=192.0.2.7", f"stream.state_dir={folder}", *more])


def link_key(folder: Path) -> SecretFile:
    return state_secrets(folder).link_key


def make(folder: Path, *more_and_asked: object, terminal: bool) -> str:
    *more, asked, now = more_and_asked
    return links.make(closed(folder, *more), link_key(folder), asked, now, terminal=terminal)


def token_of(link: str) -> str:
    return unquote(link.split("#t=")[1])


def test_the_link_is_signed_with_the_daemon_s_key(tmp_path):
    (link,) = make(tmp_path, REQUEST, NOW, terminal=False).splitlines()
    assert link.startswith("http://192.0.2.7:8080/#t=")
    assert read_link(token_of(link), link_key(tmp_path).read()) == Link("Anna", 1_800_000_000, 7200)


def test_a_terminal_gets_the_end_and_a_qr_code(tmp_path):
    said = make(tmp_path, REQUEST, NOW, terminal=True)
    assert re.search(r"For +Anna\n +Until +2027-01-15 \d\d:00 \w+\n", said)
    assert set("█▀▄") < set(said)


def test_under_the_address_that_was_said(tmp_path):
    said = make(tmp_path, LinkRequest(60, "", "https://cam.example.org/live/"), NOW, terminal=False)
    assert said.startswith("https://cam.example.org/live/#t=")
    assert "\n" not in said


def test_it_would_open_nothing_where_links_do_not_count(tmp_path):
    with pytest.raises(BroadcasterError, match=r"web\.links is false"):
        links.make(Settings(), link_key(tmp_path), REQUEST, NOW, terminal=False)
    assert not list(tmp_path.iterdir())


def test_a_clock_that_was_never_set_makes_no_links(tmp_path):
    with pytest.raises(BroadcasterError, match=r"clock was never set: it says 1970-01-01 00:00 UTC"):
        make(tmp_path, REQUEST, 7.0, terminal=False)


def test_a_port_that_only_the_daemon_knows(tmp_path):
    with pytest.raises(BroadcasterError, match=r"web\.port is 0.*--address"):
        make(tmp_path, "web.port=0", REQUEST, NOW, terminal=False)


@pytest.mark.parametrize(
    ("program", "file", "assignments", "service", "command"),
    [
        ("/opt/broadcaster/current/bin/broadcaster", "/etc/b.toml", [], True, "sudo broadcaster link"),
        (".venv/bin/broadcaster", None, [], False, ".venv/bin/broadcaster link"),
        ("/x/broadcaster/__main__.py", "my file", [], False, "broadcaster link --settings 'my file'"),
        (
            "broadcaster",
            None,
            ["web.links=true", "video.fps=5", "web.viewer_token=hush", "web.operator_token=hush", "stream.state_dir=s"],
            False,
            "broadcaster link --set web.links=true --set stream.state_dir=s",
        ),
    ],
)
def test_what_makes_a_link_for_a_daemon(program, file, assignments, service, command):
    assert links.command(program, file, assignments, service=service) == command


def test_revoking_makes_another_key(tmp_path):
    key = link_key(tmp_path)
    before = key.read_or_create()
    assert str(key.path) in links.revoke(key)
    assert key.read() != before


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A service that is installed on this machine, with links."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    file = tmp_path / "broadcaster.toml"
    file.write_text('[web]\nlinks = true\nhost = "192.0.2.7"\n')
    found = Service(installed=True, settings_file=str(file), state_folder=str(tmp_path / "service"))
    monkeypatch.setattr("broadcaster.cli.target.read_service", lambda machine: found)
    return found


@pytest.mark.parametrize("named", [True, False])
def test_the_service_s_settings_and_key_are_used_where_there_is_one(named, service, tmp_path, capsys):
    assert main(["link", *(["--settings", service.settings_file] if named else [])]) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith("http://192.0.2.7:8080/")
    assert read_link(token_of(link), link_key(tmp_path / "service").read())


def test_other_settings_are_another_daemon_s(service, tmp_path, capsys):
    other = tmp_path / "other.toml"
    other.write_text("[web]\nlinks = true\nport = 8081\n")
    assert main(["link", "--settings", str(other)]) == 0
    link = capsys.readouterr().out.splitlines()[0]
    assert ":8081/" in link
    assert read_link(token_of(link), link_key(tmp_path / "own/broadcaster").read())
    assert not (tmp_path / "service").exists()


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
