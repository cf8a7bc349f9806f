"""Nobody touches another's private names, but for the one file that knows aiortc's."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.project import Module, modules

ALLOWED = "broadcaster/webrtc/internals.py"
PUBLIC = {"os._exit"}
"""Documented for all, underscore or not."""


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.path)
def test_private_names_of_others_are_left_alone(module):
    if module.path != ALLOWED:
        assert not list(_foreign(module))


def test_the_one_file_is_needed():
    (internals,) = [module for module in modules() if module.path == ALLOWED]
    assert list(_foreign(internals))


def _foreign(module: Module) -> Iterator[str]:
    """Private attributes and imports in `module` that are not its own."""
    for node in module.walk():
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_own(node.value):
            if ast.unparse(node) not in PUBLIC:
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
