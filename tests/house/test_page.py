"""The page's JavaScript: its own tests, and the names of the signaling protocol, which must match Python's."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from broadcaster.errors import StreamReason
from broadcaster.model.stream import AudioState, Quality, QualityPreference, StreamState
from broadcaster.signaling.messages import VIEWER_MESSAGES, DaemonMessage
from broadcaster.signaling.protocol import SUBPROTOCOL, ByeReason, CloseCode, ErrorCode, RestartReason
from broadcaster.web.document import Document
from broadcaster.web.linker import REGISTRY, Linker
from tests.house.project import ROOT, read

PAGE = read("viewer/protocol.mjs")
TYPES = read("viewer/types.d.ts")
NEED_A_BROWSER = ("early.mjs", "interface.mjs", "live-view.mjs")
"""Modules that no test in Node imports: they use the document when they are evaluated."""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; `make test` installs it")
def test_node_tests_pass():
    """`node --test`, run here so that `pytest` alone runs everything."""
    _run_node_tests(ROOT)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; `make test` installs it")
def test_node_tests_pass_with_the_modules_as_linked_by_the_server(tmp_path):
    """The inlined program is the same as the files: it passes the same tests."""
    shutil.copytree(ROOT / "tests/viewer", tmp_path / "tests/viewer")
    shutil.copytree(ROOT / "viewer", tmp_path / "viewer")
    (tmp_path / "tests/viewer/page.test.mjs").unlink()  # about the files
    linker = Linker(ROOT / "viewer", "viewer/", "linked/")
    modules = [path.name for path in (ROOT / "viewer").glob("*.mjs") if path.name not in NEED_A_BROWSER]
    order = list(dict.fromkeys(name for module in modules for name in linker.order(module)))
    (tmp_path / "linked.mjs").write_text(f"export const {REGISTRY} = {{}};\n{linker.script(order)}", "utf-8")
    for module in order:
        names = re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", read(f"viewer/{module}"), re.MULTILINE)
        lines = [f'import {{ {REGISTRY} }} from "../linked.mjs";']
        lines += [f'export const {name} = {REGISTRY}["{module}"].{name};' for name in names]
        (tmp_path / "viewer" / module).write_text("\n".join(lines), "utf-8")
    _run_node_tests(tmp_path)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; `make test` installs it")
def test_scripts_of_the_first_response_and_of_later_ones_are_valid_and_small(tmp_path):
    document = Document(ROOT / "viewer", "index.html")
    first = re.findall("<script>(.*?)</script>", document.html, re.DOTALL)
    assert len(first) == 2
    assert sum(len(script.encode()) for script in first) <= 45_000
    scripts = {"first.js": "".join(first)} | document.modules
    for name, script in scripts.items():
        (tmp_path / name).write_text(script, "utf-8")
        check = subprocess.run(["node", "--check", tmp_path / name], capture_output=True, text=True, check=False)
        assert check.returncode == 0, check.stderr
    assert set(document.modules) == {"interface.mjs", "player.mjs"}
    assert all(len(script.encode()) <= 20_000 for script in document.modules.values())
    assert document.html.count("\n") > 100
    assert "viewer/" not in re.sub(r"<script>.*?</script>", "", document.html, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("STREAM_STATES", StreamState),
        ("SOUND", AudioState),
        ("QUALITIES", Quality),
    ],
)
def test_constants_are_the_same_on_both_sides(name, values):
    assert _strings(_constant(name, "[", "]")) == set(values)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ViewerMessage", VIEWER_MESSAGES),
        ("StreamReason", StreamReason),
        ("ByeReason", ByeReason),
        ("ErrorCode", ErrorCode),
        ("RestartReason", RestartReason),
        ("Quality", Quality),
        ("QualityPreference", set(QualityPreference) - set(Quality)),  # it names `Quality` for the rest
    ],
)
def test_types_are_the_same_on_both_sides(name, values):
    declaration = re.search(rf"^type {name} =([^;]*);", TYPES, re.MULTILINE)
    assert declaration, f"viewer/types.d.ts declares no {name}"
    assert _strings(declaration[1]) == set(values)


def test_page_reads_every_message_of_the_daemon():
    fields = re.search(r"^const FIELDS = \{\n(.*?)^\};", PAGE, re.DOTALL | re.MULTILINE)
    assert fields
    assert set(re.findall(r"^  (\w+):", fields[1], re.MULTILINE)) == {
        message.__struct_config__.tag for message in get_args(DaemonMessage)
    }


def test_close_codes_are_the_same_on_both_sides():
    block = _constant("CLOSE_CODES", "{", "}")
    assert {int(code) for code in re.findall(r"(\d+):", block)} == set(CloseCode)


def test_subprotocol_is_the_same_on_both_sides():
    assert f'export const SUBPROTOCOL = "{SUBPROTOCOL}";' in PAGE


def _run_node_tests(folder: Path) -> None:
    tests = sorted((folder / "tests/viewer").glob("*.mjs"))
    assert tests
    result = subprocess.run(["node", "--test", *tests], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def _strings(text: str) -> set[str]:
    return set(re.findall(r'"([^"]+)"', text))


def _constant(name: str, start: str, end: str) -> str:
    """The text between the brackets of an exported constant."""
    constant = re.search(rf"export const {name} = \{start}(.*?)\{end}", PAGE, re.DOTALL)
    assert constant, f"viewer/protocol.mjs exports no {name}"
    return constant[1]
