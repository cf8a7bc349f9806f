"""The results of a run as tables, and whether it passed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from tests.faults.table import Row, with_results
from tests.soak.availability import Tally, Window
from tests.soak.leaks import Sample, leaks, left_behind
from tests.soak.run import SoakRun

REQUIRED = 0.999
"""Fraction of viewer-seconds outside the windows of faults that must be live."""

COMMAND = "make soak ARGS=--publish"
ROWS = {
    "live": Row("ten viewers, a fault every half minute", f"{REQUIRED:.1%} of viewer-seconds live"),
    "leaks": Row("resources of the daemon, every minute and after all viewers have left", "nothing leaks"),
}
"""The rows in tests/README.md."""


def verdict(run: SoakRun) -> tuple[str, bool]:
    """Return the report in Markdown, and whether the run passed."""
    groups = run.options.groups
    everyone = [viewer for viewers in groups.values() for viewer in viewers]
    tally = _tally(run, everyone)
    leaked = leaks(run.samples, run.sessions, run.peers) + left_behind(run.idle, run.after)
    problems = run.faults.problems + run.processes.problems
    is_live = all(_tally(run, viewers).live_fraction >= REQUIRED for viewers in groups.values())
    passed = is_live and not leaked and not problems
    parts = [
        _summary(run, tally),
        _groups(run),
        _faults(run, len(everyone)),
        _samples(run.idle, run.samples, run.after),
        _lines("Leaks", leaked),
        _lines("Problems", problems),
        _lines("Missed seconds", _missed(run, tally)),
        "passed" if passed else "FAILED",
    ]
    return "\n\n".join(parts), passed


def with_report(text: str, run: SoakRun) -> str:
    """Return the README `text` with the results of this run."""
    viewers, seed = run.options.viewers, run.options.seed
    tally = _tally(run, range(viewers))
    leaked = leaks(run.samples, run.sessions, run.peers) + left_behind(run.idle, run.after)
    outputs = list(run.options.groups.items())[1:]
    last = [sample for sample in run.samples if sample.instance == run.samples[-1].instance]
    results = {
        "live": [
            f"{tally.live_fraction:.3%} of {tally.counted}",
            f"{(run.ended - run.began) / 60:.0f} min, {viewers} viewers,"
            f" {len(run.processes.behind_link)} behind a bad link",
            f"{len(run.injected)} faults of {len({fault.kind for fault, _ in run.injected})} kinds (seed {seed})",
            ", ".join(f"{name} {_tally(run, viewers).live_fraction:.3%}" for name, viewers in outputs),
            f"{run.faults.restarts} restarts",
            f"{tally.excused} viewer-seconds excused, {tally.unscheduled} lost to the machine",
        ],
        "leaks": [
            ", ".join(leaked) or "nothing",
            f"memory {last[0].memory:.1f} → {last[-1].memory:.1f} MB since the last restart, in {_minutes(last)} min",
        ],
    }
    return with_results(text, "soak", ROWS, results, COMMAND)


def _minutes(samples: Sequence[Sample]) -> str:
    return f"{(samples[-1].at - samples[0].at) / 60:.0f}"


def _tally(run: SoakRun, viewers: Iterable[int]) -> Tally:
    return run.availability.tally(viewers, math.ceil(run.began), math.floor(run.ended))


def _summary(run: SoakRun, tally: Tally) -> str:
    behind_link = f"none: {run.network_problem}" if run.network_problem else f"{len(run.processes.behind_link)} viewers"
    rows = [
        ("length", f"{(run.ended - run.began) / 60:.1f} min, {run.options.viewers} viewers, seed {run.options.seed}"),
        ("behind a bad link", behind_link),
        ("faults", f"{len(run.injected)}, the daemon was restarted {run.faults.restarts} times"),
        (
            "live outside faults",
            f"{tally.live_fraction:.3%} of {tally.counted} viewer-seconds (required: {REQUIRED:.1%})",
        ),
        ("excused by faults", f"{tally.excused} viewer-seconds"),
        ("unscheduled by the machine", f"{tally.unscheduled} viewer-seconds"),
    ]
    return _table(("soak", ""), rows)


def _groups(run: SoakRun) -> str:
    """Return what the viewers behind links and the others got, except in excused and unscheduled seconds."""
    behind_link = run.processes.behind_link
    viewers, *outputs = run.options.groups.items()
    good = [viewer for viewer in viewers[1] if viewer not in behind_link]
    rows = []
    for name, members in (("good link", good), ("bad link", list(behind_link)), *outputs):
        if not members:
            continue
        tally = _tally(run, members)
        each = ", ".join(f"{_tally(run, [member]).frame_fraction:.1%}" for member in members)
        rows.append((name, len(members), f"{tally.live_fraction:.3%}", f"{tally.frame_fraction:.1%}", each))
    return _table(("", "number", "live", "share of the pictures", "each"), rows)


def _faults(run: SoakRun, viewers: int) -> str:
    times = Counter(fault.kind.name for fault, _ in run.injected)
    windows: dict[str, list[Window]] = defaultdict(list)
    for window in run.availability.windows:
        windows[window.name].append(window)
    rows = []
    for name, number in sorted(times.items()):
        silences = [run.availability.longest_silence(window, viewers) for window in windows[name]]
        longest = max((window.end - window.begin for window in windows[name]), default=0)
        rows.append((name, number, f"{longest} s" if windows[name] else "none", f"{max(silences, default=0)} s"))
    return _table(("fault", "times", "longest excused window", "longest interruption in it"), rows)


def _samples(idle: Sample, samples: Sequence[Sample], after: Sample) -> str:
    names = ("at", "instance", "viewers", "peers", "tasks", "timers", "descriptors", "threads", "memory")
    shown = [("before", idle), *((f"{sample.at / 60:.1f} min", sample) for sample in samples), ("after", after)]
    rows = [(at, *(getattr(sample, name) for name in names[1:-1]), f"{sample.memory:.1f} MB") for at, sample in shown]
    return _table(names, rows)


def _missed(run: SoakRun, tally: Tally) -> list[str]:
    """Describe the missed seconds, and the last fault before each."""
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for viewer, second in tally.missed:
        before = [(fault, began) for fault, began in run.injected if began <= second + 1]
        fault, began = before[-1] if before else (None, run.began)
        name = f"{fault.kind.name} (viewer {fault.viewer})" if fault else "the start"
        groups[viewer, f"{name} at {began - run.began:.0f} s"].append(round(second - began))
    return [f"viewer {viewer}, seconds {_ranges(seconds)} after {name}" for (viewer, name), seconds in groups.items()]


def _ranges(seconds: Sequence[int]) -> str:
    runs = [[item for _, item in run] for _, run in groupby(enumerate(seconds), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _lines(title: str, lines: Sequence[str]) -> str:
    return f"{title}: " + ("none" if not lines else "".join(f"\n- {line}" for line in lines))


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
