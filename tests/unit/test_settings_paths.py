"""Paths in settings: `~`, relative paths, URLs, and users without a home directory."""

import pwd
from pathlib import Path

import pytest

from broadcaster.cli import main
from broadcaster.devices.choose import make_sources
from broadcaster.devices.fakes import FakeClock
from broadcaster.settings import AudioSettings, VideoSettings
from broadcaster.settings.paths import absolute, expand, without_password
from broadcaster.storage.state_file import WITHOUT_HOME, state_folder


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def _no_home(monkeypatch, home):
    """A user without an entry in passwd, as in a container."""
    monkeypatch.delenv("HOME")

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_tilde_expands_to_the_home_directory(home):
    assert expand("~/film.mp4") == f"{home}/film.mp4"
    assert absolute("~/film.mp4") == f"{home}/film.mp4"
    assert expand("~nobody-of-that-name/film.mp4") == "~nobody-of-that-name/film.mp4"
    assert state_folder("~/state") == home / "state"
    assert state_folder("") == home / ".local/state/broadcaster"


def test_file_sources_use_the_absolute_path(home, monkeypatch):
    monkeypatch.chdir(home)
    for name, path in (("~/film.mp4", home / "film.mp4"), ("cam:1.mp4", home / "cam:1.mp4")):
        video, _ = make_sources(VideoSettings(source="file", file=name), AudioSettings(source="none"), FakeClock())
        assert video._file.path == str(path)
    assert absolute("") == ""


def test_a_settings_file_may_be_in_the_home_directory_and_have_a_byte_order_mark(home, capsys):
    (home / "my.toml").write_bytes(b"\xef\xbb\xbf[web]\nport = 81\n")  # as Windows' Notepad writes it
    assert main(["settings", "--changed", "--settings=~/my.toml"]) == 0
    assert "port = 81\n" in capsys.readouterr().out


def test_the_error_for_another_encoding_names_utf_8(home, capsys):
    (home / "my.toml").write_text("[web]\nport = 81\n", encoding="utf-16")
    assert main(["settings", "--settings=~/my.toml"]) == 2
    assert "save it with the encoding UTF-8" in capsys.readouterr().err


@pytest.mark.usefixtures("_no_home")
def test_without_a_home_directory_the_state_folder_is_that_of_services(monkeypatch):
    assert state_folder("") == state_folder("~/state") == WITHOUT_HOME
    assert state_folder("/srv/state") == Path("/srv/state")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/x:/var/lib/y")
    assert state_folder("") == Path("/var/lib/x")


@pytest.mark.usefixtures("_no_home")
def test_check_works_without_a_home_directory(capfd):
    assert main(["check", "--as-me", "disk"]) in (0, 1)
    assert "bug" not in capfd.readouterr().out


def test_without_password_masks_urls_and_keeps_other_paths():
    assert without_password("rtsp://me:hush@cam/1") == "rtsp://…@cam/1"
    for path in ("/films/a@b.mp4", "rtsp://cam/1", ""):
        assert without_password(path) == path
