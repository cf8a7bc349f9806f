"""Where an `except` may be broad: around one viewer, one subscriber of the hub, a source (its threads, opening and
closing it), the whole daemon; and where it hands what a call raised to the caller."""

import ast

from tests.house.project import modules

PLACES = [
    "broadcaster/cli/commands.py",
    "broadcaster/delivery/fanout.py",
    "broadcaster/devices/blocking.py",
    "broadcaster/devices/loop_bridge.py",
    "broadcaster/stream/audio.py",
    "broadcaster/stream/controller.py",
    "broadcaster/stream/hub.py",
    "broadcaster/web/viewer.py",
]
BROAD = {"Exception", "BaseException"}


def test_broad_except_stands_in_these_places_only():
    assert sorted({module.path for module in modules() if any(map(_is_broad, module.walk()))}) == PLACES


def _is_broad(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or not BROAD.isdisjoint(_names(node.type))
    if isinstance(node, ast.Call) and "suppress" in _names(node.func):
        return any(not BROAD.isdisjoint(_names(argument)) for argument in node.args)
    return False


def _names(tree: ast.AST) -> set[str]:
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
