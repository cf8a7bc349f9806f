"""Checks that hang, crash or have a bug produce results; each runs in a process that may fork."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, os, signal, subprocess, sys, threading, time
from broadcaster.doctor.isolation import check_isolated, exit_if_stuck
from broadcaster.doctor.report import as_json

def hang():
    threading.Thread(target=time.sleep, args=(60,)).start()
    time.sleep(60)

def block_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    print("output of a library")
    subprocess.Popen(["sleep", "3.14159"])
    time.sleep(60)

def crash():
    ctypes.string_at(0)

def bug():
    return [1 / 0]

def leave():
    os._exit(3)

def leave_children():
    subprocess.Popen(["sleep", "2.71828"])
    threading.Thread(target=time.sleep, args=(60,)).start()
    return []

results = check_isolated(["camera", "encoder"], globals()[sys.argv[1]], float(sys.argv[2]))
exit_if_stuck(9)
print(f"[{','.join(map(as_json, results))}]")
"""


LIMITS = {"hang": 0.3, "block_signals": 0.5, "crash": 20, "bug": 20, "leave": 20, "leave_children": 20}
"""Time limits in seconds, by the function of `PROGRAM` that is checked."""


@pytest.fixture(scope="module")
def results():
    """The results by function; the programs run in parallel, because most of their time they wait."""
    commands = {name: [sys.executable, "-c", PROGRAM, name, str(limit)] for name, limit in LIMITS.items()}
    processes = {
        name: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name, command in commands.items()
    }
    began = time.monotonic()
    parsed = {}
    for name, process in processes.items():
        with process:
            out, err = process.communicate(timeout=60)
        assert (name, process.returncode, err) == (name, 0, "")
        parsed[name] = json.loads(out)
    assert time.monotonic() - began < 50  # none waited for the threads and processes that sleep for a minute
    return parsed


def found_in(results) -> str:
    """Return the text that all results of the group share."""
    assert [result["what"] for result in results] == ["camera", "encoder"]
    assert {result["level"] for result in results} == {"broken"}
    (found,) = {result["found"] for result in results}
    return found


def is_gone(*command: str) -> bool:
    """Whether no process runs this command; a killed one gets some time to end."""
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


def test_hanging_check_is_killed(results):
    assert found_in(results["hang"]) == "could not be checked: no answer within 0.3 s"


def test_check_that_blocks_signals_is_killed_with_its_children(results):
    assert found_in(results["block_signals"]) == "could not be checked: no answer within 0.5 s"
    assert is_gone("sleep", "3.14159")


def test_crash_in_a_library_is_reported_with_its_signal(results):
    assert found_in(results["crash"]) == "could not be checked: the check crashed (SIGSEGV)"


def test_bug_is_reported_with_its_exception(results):
    expected = "could not be checked: the check has a bug (ZeroDivisionError: division by zero)"
    assert found_in(results["bug"]) == expected


def test_silent_exit_is_reported_with_its_code(results):
    assert found_in(results["leave"]) == "could not be checked: the check exited with code 3"


def test_result_is_returned_although_threads_and_children_remain(results):
    assert results["leave_children"] == []
    assert is_gone("sleep", "2.71828")
