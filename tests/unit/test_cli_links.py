"""`broadcaster link`: output and errors."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from broadcaster.auth.links import Link, key_id, read_link
from broadcaster.cli import links, main
from broadcaster.cli.link_key import revoke
from broadcaster.cli.links import LinkRequest
from broadcaster.doctor.unit import ServiceUnit
from broadcaster.errors import BroadcasterError
from broadcaster.service.daemon_client import DaemonClient, NoDaemon
from broadcaster.settings import Settings, read
from broadcaster.storage.secrets import SecretFile, state_secrets

NOW = 1_800_000_000.5
REQUEST = LinkRequest(7200, "Anna", None)


def link_settings(folder: Path, *more: str) -> Settings:
    return read("", ["web.links=true", "web.host=192.0.2.7", f"stream.state_dir={folder}", *more])


def link_key(folder: Path) -> SecretFile:
    return state_secrets(folder).link_key


def make(
    folder: Path,
    *more: str,
    request: LinkRequest = REQUEST,
    now: float = NOW,
    terminal: bool = False,
    running: str | None = None,
) -> str:
    """Make a link with the key of a daemon that was started before."""
    link_key(folder).read_or_create()
    settings = link_settings(folder, *more)
    return links.make(settings, link_key(folder), request, now, running=running, terminal=terminal)


def token_of(link: str) -> str:
    return unquote(link.split("#t=")[1])


def test_link_is_signed_with_the_key_of_the_daemon(tmp_path):
    (link,) = make(tmp_path).splitlines()
    assert link.startswith("http://192.0.2.7:8080/#t=")
    assert read_link(token_of(link), link_key(tmp_path).read()) == Link("Anna", 1_800_000_000, 7200)


def test_terminal_output_has_the_expiry_time_and_a_qr_code(tmp_path):
    output = make(tmp_path, terminal=True)
    assert re.search(r"For +Anna\n +Until +2027-01-15 \d\d:00 \w+\n", output)
    assert set("█▀▄") < set(output)


def test_link_has_the_requested_address(tmp_path):
    link = make(tmp_path, request=LinkRequest(60, "", "https://cam.example.org/live/"))
    assert link.startswith("https://cam.example.org/live/#t=")
    assert "\n" not in link


def test_links_are_refused_if_the_daemon_accepts_none(tmp_path):
    with pytest.raises(BroadcasterError, match=r"web\.links is false"):
        links.make(Settings(), link_key(tmp_path), REQUEST, NOW, running=None, terminal=False)


def test_links_are_refused_if_the_clock_was_never_set(tmp_path):
    with pytest.raises(BroadcasterError, match=r"clock was never set: it shows 1970-01-01 00:00 UTC"):
        make(tmp_path, now=7.0)


def test_unknown_port_requires_an_address(tmp_path):
    with pytest.raises(BroadcasterError, match=r"web\.port is 0.*--address"):
        make(tmp_path, "web.port=0")


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
def test_command_that_creates_a_link_for_a_daemon(program, file, assignments, service, command):
    assert links.command(program, file, assignments, service=service) == command


def test_revoke_replaces_the_key_and_waits_for_the_daemon(tmp_path):
    key = link_key(tmp_path)
    before = key.read_or_create()
    assert "within seconds" in revoke(key, None, lambda: None)
    second = key.read()
    assert second != before
    answers = iter([key_id(second), None, lambda: key_id(key.read())])

    def query():
        answer = next(answers)
        return answer() if callable(answer) else answer

    assert "has revoked all existing links" in revoke(key, key_id(second), query)
    assert key.read() != second


def test_invalid_key_is_mended_by_revoking(tmp_path):
    key = link_key(tmp_path)
    key.path.write_text("short\n")
    with pytest.raises(BroadcasterError, match="must hold one line"):
        links.make(link_settings(tmp_path), key, REQUEST, NOW, running="", terminal=False)
    revoke(key, "", lambda: key_id(key.read()))
    assert key.read()


def test_wrong_state_folder_makes_no_key(tmp_path):
    key = link_key(tmp_path)
    for command in (lambda: make_with(key), lambda: revoke(key, None, lambda: None)):
        with pytest.raises(BroadcasterError, match=r"link_key does not exist; .*stream\.state_dir=FOLDER"):
            command()
    assert not key.path.exists()


def make_with(key: SecretFile) -> str:
    return links.make(link_settings(key.path.parent), key, REQUEST, NOW, running=None, terminal=False)


def test_key_that_is_not_the_running_daemons_is_refused(tmp_path):
    key = link_key(tmp_path)
    with pytest.raises(BroadcasterError, match="is not the link key of the running daemon"):
        make(tmp_path, running=key_id("another"))
    with pytest.raises(BroadcasterError, match="is not the link key of the running daemon"):
        revoke(key, key_id("another"), lambda: None)
    with pytest.raises(BroadcasterError, match="accepts no links"):
        make(tmp_path, running="")
    assert make(tmp_path, running=key_id(key.read()))


def no_daemon(client: DaemonClient) -> object:
    raise NoDaemon("none answers")


@pytest.fixture
def service(tmp_path, monkeypatch):
    """An installed service that accepts links."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    file = tmp_path / "broadcaster.toml"
    file.write_text('[web]\nlinks = true\nhost = "192.0.2.7"\n')
    unit = ServiceUnit(installed=True, settings_file=str(file), state_folder=str(tmp_path / "service"))
    monkeypatch.setattr("broadcaster.cli.target.read_service", lambda machine: unit)
    monkeypatch.setattr(DaemonClient, "status", no_daemon)
    for folder in ("service", "own/broadcaster"):
        link_key(tmp_path / folder).read_or_create()
    return unit


@pytest.mark.parametrize("named", [True, False])
def test_settings_and_key_of_an_installed_service_are_used(named, service, tmp_path, capsys):
    assert main(["link", *(["--settings", service.settings_file] if named else [])]) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith("http://192.0.2.7:8080/")
    assert read_link(token_of(link), link_key(tmp_path / "service").read())


def test_other_settings_use_the_key_of_another_daemon(service, tmp_path, capsys):
    other = tmp_path / "other.toml"
    other.write_text("[web]\nlinks = true\nport = 8081\n")
    assert main(["link", "--settings", str(other)]) == 0
    link = capsys.readouterr().out.splitlines()[0]
    assert ":8081/" in link
    assert read_link(token_of(link), link_key(tmp_path / "own/broadcaster").read())


def test_link_command_creates_and_revokes_links(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(DaemonClient, "status", no_daemon)
    link_key(tmp_path).read_or_create()
    options = ["--set", "web.links=true", "--set", "web.host=192.0.2.7", "--set", f"stream.state_dir={tmp_path}"]
    assert main(["link", "--hours", "0.5", "--name", "Jürgen", *options]) == 0
    (link,) = capsys.readouterr().out.splitlines()
    read_back = read_link(token_of(link), link_key(tmp_path).read())
    assert read_back is not None
    assert (read_back.name, read_back.seconds) == ("Jürgen", 1800)
    assert main(["link", "--revoke", *options]) == 0
    assert read_link(token_of(link), link_key(tmp_path).read()) is None


def test_link_command_reports_errors(tmp_path, capsys):
    assert main(["link", "--set", f"stream.state_dir={tmp_path}"]) == 1
    assert capsys.readouterr().err.startswith("broadcaster: web.links is false")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--hours", "0"], ["--hours", "-1"], ["--hours", "nan"], ["--hours", "inf"], ["--hours", "two"],
        ["--name", "x" * 41], ["--name", "a\nb"], ["--address", "cam.example.org"], ["--address", "ftp://x/"],
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_2(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["link", *wrong])
    assert ended.value.code == 2
    assert "must be" in capsys.readouterr().err
