"""Whether the clock is known to be right: by the kernel, or by systemd-timedated where the kernel may not be asked."""

import os
import shutil
import sys
import time

import pytest

from broadcaster.storage.recordings import time_service
from broadcaster.storage.recordings.time_service import INTERVAL, TimeService, boot_id, kernel_is_synchronized


class Rig:
    """A machine without systemd-timesyncd; `kernel` is what adjtimex tells, None if it is not allowed."""

    def __init__(self, folder, kernel):
        self.now = 0.0
        self.kernel = kernel
        self.asked = folder / "asked"
        self.answer = folder / "answer"
        text = f"open({str(self.asked)!r}, 'a').write('x'); print(open({str(self.answer)!r}).read())"
        self.service = TimeService(lambda: self.now, (sys.executable, "-S", "-c", text), lambda: self.kernel)

    @property
    def questions(self) -> int:
        return len(self.asked.read_text("ascii")) if self.asked.exists() else 0

    def is_synchronized(self, answer: str = "") -> bool:
        self.answer.write_text(answer)
        return self.service.is_synchronized()


@pytest.fixture(autouse=True)
def no_timesyncd(monkeypatch, tmp_path):
    monkeypatch.setattr(time_service, "_TIMESYNCD", str(tmp_path / "synchronized"))
    monkeypatch.setattr(time_service, "_PATIENCE", 30.0)


@pytest.mark.parametrize("known", [True, False])
def test_kernel_is_asked_first(tmp_path, known):
    """Outside of the service's sandbox; it knows about chrony and ntpd, too."""
    rig = Rig(tmp_path, known)
    assert rig.is_synchronized("b true") is known
    assert rig.questions == 0


def test_timedated_is_asked_where_the_kernel_may_not_be_asked(tmp_path):
    rig = Rig(tmp_path, None)
    for _ in range(3):
        assert not rig.is_synchronized("b false\n")
    assert rig.questions == 1, "not at each chunk that is written"
    rig.now += INTERVAL
    assert rig.is_synchronized("b true\n")
    assert rig.is_synchronized("b false\n"), "it drifts by a second in weeks"
    assert rig.questions == 2


def test_file_of_timesyncd_answers_without_a_question(tmp_path):
    rig = Rig(tmp_path, None)
    (tmp_path / "synchronized").touch()
    assert rig.is_synchronized()
    assert rig.questions == 0


@pytest.mark.parametrize("answer", ["", "true", "b", "Failed to connect to bus", "ä"])
def test_strange_answers_mean_no(tmp_path, answer):
    assert not Rig(tmp_path, None).is_synchronized(answer)


def test_command_that_is_missing_or_hangs_means_no(monkeypatch):
    monkeypatch.setattr(time_service, "_TIMEOUT", 0.1)
    for command in (["/does/not/exist"], [sys.executable, "-c", "import time; time.sleep(60)"]):
        assert not TimeService(lambda: 0.0, command, lambda: None).is_synchronized()


def test_answer_that_takes_long_is_not_waited_for(monkeypatch, tmp_path):
    monkeypatch.setattr(time_service, "_PATIENCE", 0.01)
    monkeypatch.setattr(time_service, "_TIMEOUT", 60.0)
    answer = tmp_path / "answer"
    os.mkfifo(answer)
    service = TimeService(lambda: 0.0, ["cat", str(answer)], lambda: None)
    assert not service.is_synchronized()
    answer.write_text("b true")
    deadline = time.monotonic() + 30
    while not service.is_synchronized() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.is_synchronized()


def test_this_machine_answers():
    assert len(boot_id()) == 36
    assert kernel_is_synchronized() in (True, False, None)
    if shutil.which("busctl"):
        assert TimeService(lambda: 0.0, ask_kernel=lambda: None).is_synchronized() in (True, False)
