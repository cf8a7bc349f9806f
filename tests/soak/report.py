"""What a run has shown, as tables, and whether that is good enough."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.faults.table import Row, with_results
from tests.soak.accounts import Tally, Window
from tests.soak.leaks import Probe, leaks, left_behind
from tests.soak.run import Run

ASKED = 0.999
"""Share of viewer-seconds outside the windows of faults that must be live."""

COMMAND = "make soak ARGS=--publish"
ROWS = {
    "live": Row("ten viewers, a fault every half minute", f"{ASKED:.1%} of viewer-seconds live"),
    "leaks": Row("resources of the daemon, every minute and after all viewers have left", "nothing leaks"),
}
"""What of the report stands in tests/README.md."""


def verdict(run: Run, viewers: int, seed: int) -> tuple[str, bool]:
    """The report in Markdown, and whether the run passed."""
    tally = run.accounts.tally(viewers, math.ceil(run.began), math.floor(run.ended))
    leaked = leaks(run.probes, viewers) + left_behind(run.idle, run.after)
    trouble = run.faults.trouble + run.crew.trouble
    passed = tally.share >= ASKED and not leaked and not trouble
    parts = [
        _summary(run, tally, viewers, seed),
        _faults(run, viewers),
        _probes(run.idle, run.probes, run.after),
        _lines("Leaked", leaked),
        _lines("Not as it should be", trouble),
        _lines("Missed", _missed(run, tally)),
        "passed" if passed else "FAILED",
    ]
    return "\n\n".join(parts), passed


def with_report(text: str, run: Run, viewers: int, seed: int) -> str:
    """The README `text` with what this run has shown."""
    tally = run.accounts.tally(viewers, math.ceil(run.began), math.floor(run.ended))
    leaked = leaks(run.probes, viewers) + left_behind(run.idle, run.after)
    last = [probe for probe in run.probes if probe.life == run.probes[-1].life]
    figures = {
        "live": [
            f"{tally.share:.3%} of {tally.live + len(tally.missed)}",
            f"{(run.ended - run.began) / 60:.0f} min, {viewers} viewers, {len(run.crew.behind)} behind a bad link",
            f"{len(run.happened)} faults of {len({fault.kind for fault, _ in run.happened})} kinds (seed {seed})",
            f"{run.faults.restarts} restarts",
            f"{tally.excused} viewer-seconds were excused, {tally.unscheduled} lost to the machine",
        ],
        "leaks": [
            ", ".join(leaked) or "nothing",
            f"memory {last[0].memory:.1f} → {last[-1].memory:.1f} MB in the last life, of {_minutes(last)} min",
        ],
    }
    return with_results(text, "soak", ROWS, figures, COMMAND)


def _minutes(probes: Sequence[Probe]) -> str:
    return f"{(probes[-1].at - probes[0].at) / 60:.0f}"


def _summary(run: Run, tally: Tally, viewers: int, seed: int) -> str:
    counted = tally.live + len(tally.missed)
    behind = f"none: {run.no_network}" if run.no_network else f"{len(run.crew.behind)} viewers"
    rows = [
        ("length", f"{(run.ended - run.began) / 60:.1f} min, {viewers} viewers, seed {seed}"),
        ("behind a bad link", behind),
        ("faults", f"{len(run.happened)}, the daemon started anew {run.faults.restarts} times"),
        ("live outside faults", f"{tally.share:.3%} of {counted} viewer-seconds (asked: {ASKED:.1%})"),
        ("excused by faults", f"{tally.excused} viewer-seconds"),
        ("unscheduled by the machine", f"{tally.unscheduled} viewer-seconds"),
    ]
    return _table(("soak", ""), rows)


def _faults(run: Run, viewers: int) -> str:
    times = Counter(fault.kind.name for fault, _ in run.happened)
    windows: dict[str, list[Window]] = defaultdict(list)
    for window in run.accounts.windows:
        windows[window.name].append(window)
    rows = []
    for name, number in sorted(times.items()):
        silences = [run.accounts.longest_silence(window, viewers) for window in windows[name]]
        longest = max((window.end - window.begin for window in windows[name]), default=0)
        rows.append((name, number, f"{longest} s" if windows[name] else "none", f"{max(silences, default=0)} s"))
    return _table(("fault", "times", "longest excuse", "longest silence in it"), rows)


def _probes(idle: Probe, probes: Sequence[Probe], after: Probe) -> str:
    names = ("at", "life", "viewers", "peers", "tasks", "timers", "descriptors", "threads", "memory")
    shown = [("before", idle), *((f"{probe.at / 60:.1f} min", probe) for probe in probes), ("after", after)]
    rows = [(at, *(getattr(probe, name) for name in names[1:-1]), f"{probe.memory:.1f} MB") for at, probe in shown]
    return _table(names, rows)


def _missed(run: Run, tally: Tally) -> list[str]:
    """Which seconds, and what had happened last."""
    said: dict[tuple[int, str], list[int]] = defaultdict(list)
    for viewer, second in tally.missed:
        before = [(fault, began) for fault, began in run.happened if began <= second + 1]
        fault, began = before[-1] if before else (None, run.began)
        name = f"{fault.kind.name} (viewer {fault.viewer})" if fault else "the beginning"
        said[viewer, f"{name} at {began - run.began:.0f} s"].append(round(second - began))
    return [f"viewer {viewer}, seconds {seconds} after {name}" for (viewer, name), seconds in said.items()]


def _lines(title: str, lines: Sequence[str]) -> str:
    return f"{title}: " + ("nothing" if not lines else "".join(f"\n- {line}" for line in lines))


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
