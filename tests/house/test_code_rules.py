"""Rules for the daemon's code: layers, sizes of files and functions, private names, broad `except` clauses."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.project import ROOT, Module, modules

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40

BROAD_EXCEPT_FILES = [
    "broadcaster/cli/commands.py",
    "broadcaster/components.py",
    "broadcaster/delivery/walks.py",
    "broadcaster/devices/blocking.py",
    "broadcaster/devices/loop_bridge.py",
    "broadcaster/devices/picamera/isolated_encoder.py",
    "broadcaster/outputs/muxed.py",
    "broadcaster/storage/recordings/store.py",
    "broadcaster/stream/audio.py",
    "broadcaster/stream/controller.py",
    "broadcaster/stream/hub.py",
    "broadcaster/web/push/target.py",
    "broadcaster/web/viewer.py",
    "broadcaster/worker.py",
]
"""Files that may catch `Exception`: around one viewer, one push target, one subscriber, the thread that writes
recordings, a source (its threads, opening and closing it), a second encoder, or the whole daemon, or to hand an
exception over to the caller."""

BROAD = {"Exception", "BaseException"}

PRIVATE_NAMES_FILE = "broadcaster/webrtc/internals.py"
"""The only file that may use private names of other modules: those of aiortc."""

DOCUMENTED_NAMES = {"os._exit"}
"""Names with an underscore that are documented nevertheless."""

every_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.path)


def test_imports_follow_the_layers():
    """The contracts of `[tool.importlinter]`."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@every_module
def test_file_is_short(module):
    assert module.text.count("\n") <= MAX_FILE_LINES


@every_module
def test_functions_are_short(module):
    functions = [node for node in module.walk() if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    too_long = {function.name: length for function in functions if (length := _lines(function)) > MAX_FUNCTION_LINES}
    assert not too_long


def test_broad_except_is_used_only_in_listed_files():
    assert sorted({module.path for module in modules() if any(map(_is_broad, module.walk()))}) == BROAD_EXCEPT_FILES


@every_module
def test_private_names_of_other_modules_are_not_used(module):
    if module.path != PRIVATE_NAMES_FILE:
        assert not list(_foreign_private_names(module))


def test_private_names_file_is_needed():
    (internals,) = [module for module in modules() if module.path == PRIVATE_NAMES_FILE]
    assert list(_foreign_private_names(internals))


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _is_broad(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or not BROAD.isdisjoint(_names(node.type))
    if isinstance(node, ast.Call) and "suppress" in _names(node.func):
        return any(not BROAD.isdisjoint(_names(argument)) for argument in node.args)
    return False


def _names(tree: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _foreign_private_names(module: Module) -> Iterator[str]:
    """Private attributes and imports in `module` that are not its own."""
    for node in module.walk():
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_own(node.value):
            if ast.unparse(node) not in DOCUMENTED_NAMES:
                yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (f"line {node.lineno}: {part}" for part in parts if _is_private(part))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and _is_private(str(name.value)):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")
