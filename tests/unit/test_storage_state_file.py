import logging
import shutil

import pytest

from broadcaster.storage.state_file import StateFile, state_folder


@pytest.mark.parametrize("live", [True, False])
def test_the_last_wish_is_remembered(tmp_path, live):
    folder = tmp_path / "made" / "when needed"
    StateFile(folder).save(not live)
    StateFile(folder).save(live)
    assert StateFile(folder).load() is live
    assert [path.name for path in folder.iterdir()] == ["wish"], "nothing half written is left"


@pytest.mark.parametrize("content", [None, b"", b"liv", b"\xff\xfe\x00"])
def test_what_cannot_be_read_is_no_wish_to_be_live(tmp_path, content):
    if content is not None:
        (tmp_path / "wish").write_bytes(content)
    assert StateFile(tmp_path).load() is False


def test_a_disk_that_cannot_be_written_is_said_once_until_it_can(tmp_path, caplog):
    folder = tmp_path / "state"
    folder.write_text("a file where the folder should be")
    wishes = StateFile(folder)
    wishes.save(True)
    wishes.save(False)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    folder.unlink()
    wishes.save(True)
    assert wishes.load() is True
    shutil.rmtree(folder)
    folder.write_text("again")
    wishes.save(False)
    assert len(caplog.records) == 2


def test_the_folder_is_as_set_or_systemds_or_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/broadcaster:/var/lib/other")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert str(state_folder("~/here")) == f"{tmp_path}/here"
    assert str(state_folder("")) == "/var/lib/broadcaster"
    monkeypatch.delenv("STATE_DIRECTORY")
    assert str(state_folder("")) == f"{tmp_path}/.local/state/broadcaster"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert str(state_folder("")) == "/state/broadcaster"
