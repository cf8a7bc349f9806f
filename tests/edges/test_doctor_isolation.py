"""A check that hangs, crashes or has a bug is a line; each runs here in a process that may fork."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


LIMITS = {"hang": 0.3, "deaf": 0.5, "crash": 20, "bug": 20, "leave": 20, "linger": 20}
"""Seconds, by the name of what is tried."""


@pytest.fixture(scope="module")
def ended():
    """What each gave: all at once, because most of it is waiting."""
    commands = {name: [sys.executable, "-c", PROGRAM, name, str(limit)] for name, limit in LIMITS.items()}
    processes = {
        name: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name, command in commands.items()
    }
    began = time.monotonic()
    given = {}
    for name, process in processes.items():
        with process:
            out, err = process.communicate(timeout=60)
        assert (name, process.returncode, err) == (name, 0, "")
        given[name] = json.loads(out)
    assert time.monotonic() - began < 50  # none has waited for what sleeps a minute
    return given


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


def test_one_that_hangs_is_ended(ended):
    assert says(ended["hang"]) == "could not be looked at: no answer within 0.3 s"


def test_one_that_is_deaf_is_ended_with_all_that_it_started(ended):
    assert says(ended["deaf"]) == "could not be looked at: no answer within 0.5 s"
    assert is_gone("sleep", "3.14159")


def test_one_that_crashes_in_a_library_says_so(ended):
    assert says(ended["crash"]) == "could not be looked at: it crashed (SIGSEGV)"


def test_a_bug_is_named(ended):
    assert says(ended["bug"]) == "could not be looked at: a bug in the check (ZeroDivisionError: division by zero)"


def test_one_that_ends_without_a_word_says_its_code(ended):
    assert says(ended["leave"]) == "could not be looked at: it ended with code 3"


def test_a_result_counts_though_threads_and_commands_linger(ended):
    assert ended["linger"] == []
    assert is_gone("sleep", "2.71828")
