"""The report as text and as JSON."""

import json

from broadcaster.doctor.report import WIDTH, as_json, as_text, summary
from broadcaster.doctor.result import CheckResult, Level, Subject, exit_code

ABOUT = Subject("power", "With too little of it the camera times out and the picture stalls, again and again.")
FINE = ABOUT.ok("enough")
WARNING = ABOUT.warning("supply voltage too low now; " * 5, f"Use another:\n  sudo {'x' * 90}")
BROKEN = ABOUT.broken("none", "Plug it in.")


def test_fine_result_is_one_line():
    assert as_text(FINE, colour=False) == "ok       power        enough"


def test_broken_result_shows_reason_and_fix():
    assert as_text(BROKEN, colour=False).splitlines() == [
        "BROKEN   power        none",
        "           why        With too little of it the camera times out and the picture",
        "                      stalls, again and again.",
        "           fix        Plug it in.",
    ]


def test_text_is_wrapped_at_80_columns_except_commands():
    rows = as_text(WARNING, colour=False).splitlines()
    command = rows.pop()
    assert command.endswith(f"  sudo {'x' * 90}")
    assert max(map(len, rows)) <= WIDTH


def test_command_options_are_not_broken_at_their_hyphens():
    found = "not installed: sudo apt install --no-install-recommends python3-picamera2"
    assert "--no-install-recommends" in as_text(ABOUT.ok(found), colour=False)


def test_colour_is_optional():
    assert "\x1b" not in as_text(BROKEN, colour=False)
    coloured = as_text(BROKEN, colour=True)
    assert coloured.startswith("\x1b[1;31mBROKEN   \x1b[0mpower")
    assert coloured.count("\x1b") == 2


def test_json_has_the_same_keys_in_each_object():
    objects = [json.loads(as_json(result)) for result in (FINE, WARNING, BROKEN)]
    assert [list(result) for result in objects] == [["what", "level", "found", "why", "fix"]] * 3
    assert [result["level"] for result in objects] == ["ok", "warning", "broken"]
    assert objects[1]["fix"] == WARNING.fix


def test_exit_code_is_that_of_the_worst_result():
    assert exit_code([]) == 0
    assert exit_code([FINE, FINE]) == 0
    assert exit_code([FINE, WARNING]) == 1
    assert exit_code([BROKEN, WARNING, FINE]) == 2


def test_summary_counts_the_results():
    assert summary([FINE, FINE]) == "2 checked: everything is fine."
    assert summary([FINE, WARNING]) == "2 checked: nothing broken, 1 warning."
    assert summary([BROKEN, WARNING, WARNING]) == "3 checked: 1 broken, 2 warnings."
    assert summary([BROKEN]) == "1 checked: 1 broken, 0 warnings."


def test_result_without_text_is_still_a_line():
    assert as_text(CheckResult("x", Level.OK, "", ""), colour=False).strip() == "ok       x"
