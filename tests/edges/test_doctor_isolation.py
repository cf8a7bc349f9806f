"""A check that hangs, crashes or has a bug is a line; each runs here in a process that may fork."""

import json
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import ctypes, json, os, signal, subprocess, sys, threading, time
from broadcaster.doctor.isolation import NoResult, isolated, leave_if_stuck, lines_of
from broadcaster.doctor.report import as_json

def hang():
    threading.Thread(target=time.sleep, args=(60,)).start()
    time.sleep(60)

def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    print("chatter of a library")
    subprocess.Popen(["sleep", "3.14159"])
    time.sleep(60)

def crash():
    ctypes.string_at(0)

def bug():
    return [1 / 0]

def leave():
    os._exit(3)

def linger():
    subprocess.Popen(["sleep", "2.71828"])
    threading.Thread(target=time.sleep, args=(60,)).start()
    return []

lines = lines_of(["camera", "encoder"], globals()[sys.argv[1]], float(sys.argv[2]))
leave_if_stuck(9)
print(as_json(lines))
"""


def run(name: str, limit: float = 20.0):
    command = [sys.executable, "-c", PROGRAM, name, str(limit)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def says(lines) -> str:
    """What the lines of the group say, each the same."""
    assert [line["what"] for line in lines] == ["camera", "encoder"]
    assert {line["level"] for line in lines} == {"broken"}
    (found,) = {line["found"] for line in lines}
    return found


def is_gone(*command: str) -> bool:
    """Whether that command runs nowhere, or no more in a moment: who is killed needs one to die."""
    line = "\0".join((*command, "")).encode()
    for _ in range(100):
        if line not in map(_command_line, Path("/proc").glob("[0-9]*/cmdline")):
            return True
        time.sleep(0.05)
    return False


def _command_line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_one_that_hangs_is_ended():
    assert says(run("hang", 0.3)) == "could not be looked at: no answer within 0.3 s"


def test_one_that_is_deaf_is_ended_with_all_that_it_started():
    assert says(run("deaf", 0.5)) == "could not be looked at: no answer within 0.5 s"
    assert is_gone("sleep", "3.14159")


def test_one_that_crashes_in_a_library_says_so():
    assert says(run("crash")) == "could not be looked at: it crashed (SIGSEGV)"


def test_a_bug_is_named():
    assert says(run("bug")) == "could not be looked at: a bug in the check (ZeroDivisionError: division by zero)"


def test_one_that_ends_without_a_word_says_its_code():
    assert says(run("leave")) == "could not be looked at: it ended with code 3"


def test_a_result_counts_though_threads_and_commands_linger():
    began = time.monotonic()
    assert run("linger") == []
    assert time.monotonic() - began < 20
    assert is_gone("sleep", "2.71828")
