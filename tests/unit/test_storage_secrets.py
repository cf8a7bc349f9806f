"""Secrets in files: made once, for nobody else's eyes, and never half of one."""

import os
import stat

import pytest

from broadcaster.errors import BroadcasterError
from broadcaster.storage.secrets import SecretFile


def test_it_is_made_when_first_needed_and_stays(tmp_path):
    file = SecretFile(tmp_path / "made" / "when needed" / "key")
    before = os.umask(0)
    try:
        secret = file.read_or_create()
    finally:
        os.umask(before)
    assert len(secret) == 43
    assert file.read_or_create() == file.read() == SecretFile(file.path).read_or_create() == secret
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["key"], "nothing half written is left"


def test_another_one_is_another_file(tmp_path):
    file = SecretFile(tmp_path / "key")
    first = file.read_or_create()
    inode = file.path.stat().st_ino
    assert file.renew() != first
    assert file.path.stat().st_ino != inode
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_person_may_choose_it(tmp_path):
    (tmp_path / "key").write_text("  0123456789abcdefghij \n")
    assert SecretFile(tmp_path / "key").read_or_create() == "0123456789abcdefghij"


@pytest.mark.parametrize(
    "content", [b"", b"short\n", b"two words that are long\n", b"\xff" * 40, b"a" * 20 + b"\n" * 2 + b"b"]
)
def test_what_will_not_do_is_said_and_left_alone(content, tmp_path):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(BroadcasterError, match=r"key must hold one line of 20"):
        SecretFile(tmp_path / "key").read_or_create()
    assert (tmp_path / "key").read_bytes() == content


def test_where_nothing_can_be_written_it_says_so(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(BroadcasterError, match=r"state/key cannot be") as caught:
        SecretFile(tmp_path / "state" / "key").read_or_create()
    assert isinstance(caught.value.__cause__, OSError)
    assert (tmp_path / "state").read_text() == "a file where the folder should be"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_folder_s_owner(tmp_path):
    os.chown(tmp_path, 12345, 23456)
    file = SecretFile(tmp_path / "key")
    file.read_or_create()
    status = file.path.stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)
