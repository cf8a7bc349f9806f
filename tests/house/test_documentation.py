"""README, changelog and project files agree with the code: settings, state diagram, versions."""

import importlib
import re
import tomllib

from broadcaster import __version__
from broadcaster.settings.model import Setting, every_setting
from broadcaster.stream.machine import TABLE
from broadcaster.supported import TOO_NEW
from tests.house.project import ROOT, read

PYTHONS = ["3.11", "3.12", "3.13"]
PROJECT = tomllib.loads(read("pyproject.toml"))


def test_readme_has_the_table_of_settings():
    table = "\n".join(
        ["| setting | default | what it is | allowed |", "|---|---|---|---|", *map(_row, every_setting())]
    )
    assert table in read("README.md"), f"README.md must contain:\n\n{table}\n"


def _row(setting: Setting) -> str:
    kind = setting.about.kind
    return f"| `{setting.path}` | `{kind.show(setting.default)}` | {setting.about.doc} | {kind.allowed} |"


def test_readme_diagram_matches_the_state_table():
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", read("README.md"), re.DOTALL)
    arrows = {(start, end, event) for start, end, events in re.findall(r"(\w+) --> (\w+): (.+)", diagram)
              for event in events.split(", ")}  # fmt: skip
    assert arrows == {(phase.value, end.value, event.value) for (phase, event), (end, _) in TABLE.items()}


def test_python_versions_in_pyproject():
    classifiers = " ".join(PROJECT["project"]["classifiers"])
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]},<3.{TOO_NEW[1]}"
    assert re.findall(r"Python :: (3\.\d+)", classifiers) == PYTHONS


def test_python_version_of_mypy_and_ruff():
    assert PROJECT["tool"]["mypy"]["python_version"] == PYTHONS[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{PYTHONS[0].replace('.', '')}"


def test_python_versions_in_version_check_and_readme():
    supported = read("broadcaster/supported.py")
    assert f"OLDEST = ({PYTHONS[0].replace('.', ', ')})" in supported
    assert f"TOO_NEW = (3, {int(PYTHONS[-1].split('.')[1]) + 1})" in supported
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in supported
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in read("README.md")


def test_python_versions_in_the_workflow():
    assert f"python: {PYTHONS!s}".replace("'", '"') in read(".github/workflows/check.yml")


def test_newest_changelog_entry_is_this_version():
    newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def test_document_of_congestion_control_has_the_values_of_the_code():
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| ([\d.]+) \|", read("broadcaster/delivery/README.md"), re.MULTILINE)
    assert len(rows) > 50
    stream = {"attempts", "bitrate", "rendition", "rendition_choice"}
    for module, name, value in rows:
        package = "stream" if module in stream else "delivery"
        constant = getattr(importlib.import_module(f"broadcaster.{package}.{module}"), name)
        assert float(value) == constant, f"{module}.{name}"


def test_document_of_congestion_control_has_every_constant():
    text = read("broadcaster/delivery/README.md")
    for path in (ROOT / "broadcaster" / "delivery").glob("*.py"):
        for name in re.findall(r"^([A-Z_]+) = ", path.read_text(), re.MULTILINE):
            public = not name.startswith("_") and name != "RESUBSCRIBE_AFTER"
            assert not public or f"`{path.stem}.{name}`" in text, f"{path.stem}.{name}"
