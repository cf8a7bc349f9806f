"""What people and programs read."""

import json

from broadcaster.doctor.report import WIDTH, as_json, summary, text
from broadcaster.doctor.result import CheckResult, Level, Subject, exit_code

ABOUT = Subject("power", "With too little of it the camera times out and the picture stalls, again and again.")
FINE = ABOUT.ok("enough")
WEAK = ABOUT.warning("too little voltage now; " * 5, f"Use another:\n  sudo {'x' * 90}")
GONE = ABOUT.broken("none", "Plug it in.")


def test_what_is_fine_is_one_quiet_line():
    assert text(FINE, colour=False) == "ok      power        enough"


def test_what_is_not_says_why_and_what_to_do():
    assert text(GONE, colour=False).splitlines() == [
        "BROKEN  power        none",
        "          why        With too little of it the camera times out and the picture",
        "                     stalls, again and again.",
        "          do         Plug it in.",
    ]


def test_it_fits_eighty_columns_but_commands_stay_whole():
    rows = text(WEAK, colour=False).splitlines()
    command = rows.pop()
    assert command.endswith(f"  sudo {'x' * 90}")
    assert max(map(len, rows)) <= WIDTH


def test_options_of_commands_are_not_broken_at_their_hyphens():
    rows = text(ABOUT.ok("not installed: sudo apt install --no-install-recommends python3-picamera2"), colour=False)
    assert "--no-install-recommends" in rows


def test_colour_only_when_asked():
    assert "\x1b" not in text(GONE, colour=False)
    coloured = text(GONE, colour=True)
    assert coloured.startswith("\x1b[1;31mBROKEN  \x1b[0mpower")
    assert coloured.count("\x1b") == 2


def test_json_has_the_same_keys_on_each_line():
    told = json.loads(as_json([FINE, WEAK, GONE]))
    assert [list(one) for one in told] == [["what", "level", "found", "why", "fix"]] * 3
    assert [one["level"] for one in told] == ["ok", "warning", "broken"]
    assert told[1]["fix"] == WEAK.fix


def test_the_worst_line_is_the_exit_code():
    assert exit_code([]) == 0
    assert exit_code([FINE, FINE]) == 0
    assert exit_code([FINE, WEAK]) == 1
    assert exit_code([GONE, WEAK, FINE]) == 2


def test_the_last_sentence_counts():
    assert summary([FINE, FINE]) == "All 2 are fine."
    assert summary([FINE, WEAK]) == "Nothing is broken; 1 of 2 to look at."
    assert summary([GONE, WEAK]) == "1 of 2 broken, 1 more to look at."
    assert summary([GONE]) == "1 of 1 broken."


def test_an_empty_finding_is_still_a_line():
    assert text(CheckResult("x", Level.OK, "", ""), colour=False).strip() == "ok      x"
