"""Secret files: generated once, readable only by their owner, written atomically."""

import os
import stat

import pytest

from broadcaster.errors import BroadcasterError
from broadcaster.storage.secrets import SecretFile


def test_secret_is_generated_once_with_mode_0600(tmp_path):
    file = SecretFile(tmp_path / "new" / "folder" / "key")
    before = os.umask(0)
    try:
        secret = file.read_or_create()
    finally:
        os.umask(before)
    assert len(secret) == 43
    assert file.read_or_create() == file.read() == SecretFile(file.path).read_or_create() == secret
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["key"], "no temporary file is left"


def test_renew_replaces_the_file(tmp_path):
    file = SecretFile(tmp_path / "key")
    first = file.read_or_create()
    inode = file.path.stat().st_ino
    assert file.renew() != first
    assert file.path.stat().st_ino != inode
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_secret_may_be_written_by_hand(tmp_path):
    (tmp_path / "key").write_text("  0123456789abcdefghij \n")
    assert SecretFile(tmp_path / "key").read_or_create() == "0123456789abcdefghij"


@pytest.mark.parametrize(
    "content", [b"", b"short\n", b"two words that are long\n", b"\xff" * 40, b"a" * 20 + b"\n" * 2 + b"b"]
)
def test_invalid_content_is_reported_and_kept(content, tmp_path):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(BroadcasterError, match=r"key must hold one line of 20"):
        SecretFile(tmp_path / "key").read_or_create()
    assert (tmp_path / "key").read_bytes() == content


def test_write_error_is_reported(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(BroadcasterError, match=r"state/key cannot be") as caught:
        SecretFile(tmp_path / "state" / "key").read_or_create()
    assert isinstance(caught.value.__cause__, OSError)
    assert (tmp_path / "state").read_text() == "a file where the folder should be"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the owner of a file")
def test_file_written_by_root_belongs_to_the_owner_of_the_folder(tmp_path):
    os.chown(tmp_path, 12345, 23456)
    file = SecretFile(tmp_path / "key")
    file.read_or_create()
    status = file.path.stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)
