"""Small grain: files of one idea, functions short enough to see whole."""

import ast

import pytest

from tests.house.project import modules

LONGEST_FILE = 300
LONGEST_FUNCTION = 40


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.path)
def test_a_file_is_short(module):
    assert module.text.count("\n") <= LONGEST_FILE


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.path)
def test_a_function_is_seen_whole(module):
    functions = [node for node in module.walk() if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {function.name: length for function in functions if (length := _lines(function)) > LONGEST_FUNCTION}
    assert not long


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
