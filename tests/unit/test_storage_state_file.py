"""State files: stored values, write errors, and the state folder."""

import logging
import shutil

import pytest

from broadcaster.storage.state_file import StateFile, state_folder


@pytest.mark.parametrize("live", [True, False])
def test_last_value_is_stored(tmp_path, live):
    folder = tmp_path / "new" / "folder"
    StateFile(folder).save(not live)
    StateFile(folder).save(live)
    assert StateFile(folder).load() is live
    assert [path.name for path in folder.iterdir()] == ["wish"], "no temporary file is left"


@pytest.mark.parametrize("content", [None, b"", b"liv", b"\xff\xfe\x00"])
def test_missing_or_invalid_file_loads_as_false(tmp_path, content):
    if content is not None:
        (tmp_path / "wish").write_bytes(content)
    assert StateFile(tmp_path).load() is False


def test_write_error_is_logged_once_until_a_write_succeeds(tmp_path, caplog):
    folder = tmp_path / "state"
    folder.write_text("a file where the folder should be")
    state_file = StateFile(folder)
    state_file.save(True)
    state_file.save(False)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    folder.unlink()
    state_file.save(True)
    assert state_file.load() is True
    shutil.rmtree(folder)
    folder.write_text("again")
    state_file.save(False)
    assert len(caplog.records) == 2


def test_state_folder_is_that_of_the_settings_or_systemd_or_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/broadcaster:/var/lib/other")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert str(state_folder("~/here")) == f"{tmp_path}/here"
    monkeypatch.chdir(tmp_path)
    assert str(state_folder("here/state")) == f"{tmp_path}/here/state", "as `make run` names it"
    assert str(state_folder("")) == "/var/lib/broadcaster"
    monkeypatch.delenv("STATE_DIRECTORY")
    assert str(state_folder("")) == f"{tmp_path}/.local/state/broadcaster"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert str(state_folder("")) == "/state/broadcaster"
