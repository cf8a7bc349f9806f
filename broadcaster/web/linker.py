"""Links the page's ES modules into one script, so that a browser gets them in one response; there is no build step.

Each module becomes a function that is called once, in the order in which a browser would evaluate the modules, and
returns the module's exports. Only the forms that the page uses are understood: named imports, and exported
constants, functions and classes. Everything else is refused when the daemon starts, not misread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from broadcaster.errors import BroadcasterError

REGISTRY = "linked"
"""The global constant of the page that has the exports of all linked modules, by file name."""

_IMPORT = re.compile(r'^import \{([\w\s,]+)\} from "\./([\w.-]+\.mjs)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|class|const) (\w+)", re.MULTILINE)
_MODULE_SYNTAX = re.compile(r"^(import|export|await)\b.*|^\S.*[=(] *await\b.*", re.MULTILINE)
"""What must not remain: module syntax at the beginning of a line, and top-level `await`."""
_DYNAMIC_IMPORT = re.compile(r'\bimport\("\./([\w.-]+\.mjs)"')
_META = re.compile(r"\bimport\.meta\b(\.url\b)?")
_COMMENT = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n|^[ \t]*//[^\n]*\n", re.MULTILINE | re.DOTALL)
_INDENT = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
_FORBIDDEN = re.compile("</?script|<!--", re.IGNORECASE)
"""What would end or change an inline script (HTML §4.12.1.3)."""


class LinkError(BroadcasterError):
    """A module cannot be linked; the message names it and the reason."""


class Linker:
    """Links the modules of a folder; `path` is its URL relative to the page, `linked` that of linked modules to it."""

    def __init__(self, folder: Path, path: str, linked: str) -> None:
        self._folder = folder
        self._path = path
        self._linked = linked

    def order(self, root: str, known: Iterable[str] = ()) -> list[str]:
        """Return `root` and all that it imports statically, in the order of evaluation, without `known` modules."""
        order: list[str] = []
        self._visit(root, set(known), [], order)
        return order

    def imported_later(self, names: Iterable[str]) -> list[str]:
        """Return the modules that these import dynamically."""
        texts = (_without_comments(name, self._read(name)) for name in names)
        return sorted({imported for text in texts for imported in _DYNAMIC_IMPORT.findall(text)})

    def script(self, names: Iterable[str]) -> str:
        """Return a script, to be inlined into the page, that evaluates these modules for itself and later ones."""
        return "".join(self._module(name, f"./{self._path}{self._linked}") for name in names)

    def module(self, root: str, names: Iterable[str]) -> str:
        """Return an ES module with the exports of `root`, for a page that has evaluated what is not in `names`."""
        evaluated = "".join(self._module(name, "./") for name in names)
        return f'{evaluated}export const {{ {", ".join(_exports(self._read(root)))} }} = {REGISTRY}["{root}"];\n'

    def _visit(self, name: str, done: set[str], path: list[str], order: list[str]) -> None:
        if name in path:
            raise LinkError(f"{name}: circular import: {' → '.join([*path, name])}")
        if name in done:
            return
        for _, imported in _IMPORT.findall(self._read(name)):
            self._visit(imported, done, [*path, name], order)
        done.add(name)
        order.append(name)

    def _module(self, name: str, imports: str) -> str:
        """Return the assignment of a module's exports to the registry; `imports` is the folder of dynamic imports."""
        text = _without_comments(name, self._read(name))
        self._check_imports(name, text)
        body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(_binding, text))
        if rest := _MODULE_SYNTAX.search(body):
            raise LinkError(f"{name}: cannot link this: {rest[0]}")
        body = _INDENT.sub("", self._with_urls(name, body, imports))
        if forbidden := _FORBIDDEN.search(body):
            raise LinkError(f"{name}: {forbidden[0]} cannot be inlined")
        return f'{REGISTRY}["{name}"] ??= (() => {{\n{body}return {{ {", ".join(_exports(text))} }};\n}})();\n'

    def _check_imports(self, name: str, text: str) -> None:
        for names, imported in _IMPORT.findall(text):
            if missing := set(_names(names)) - set(_exports(self._read(imported))):
                raise LinkError(f"{name}: {imported} exports no {', '.join(sorted(missing))}")

    def _with_urls(self, name: str, body: str, imports: str) -> str:
        """Replace the module's own URL, and let dynamic imports load linked modules."""

        def url(match: re.Match[str]) -> str:
            if match[1] is None:
                raise LinkError(f"{name}: import.meta has no value but its url here")
            return f'new URL("{self._path}{name}", document.baseURI).href'

        body = _META.sub(url, body)
        if len(re.findall(r"\bimport\(", body)) != len(_DYNAMIC_IMPORT.findall(body)):
            raise LinkError(f"{name}: the name of a dynamically imported module must be a string")
        return _DYNAMIC_IMPORT.sub(rf'import("{imports}\1"', body)

    def _read(self, name: str) -> str:
        try:
            return (self._folder / name).read_text("utf-8")
        except OSError as error:
            raise LinkError(f"{name}: {error.strerror}") from error


def _exports(text: str) -> list[str]:
    return [name for _, name in _EXPORT.findall(text)]


def _names(text: str) -> list[str]:
    """Return the elements of a list of names; one that is renamed is not a name."""
    return [" ".join(name.split()) for name in text.split(",") if name.strip()]


def _binding(match: re.Match[str]) -> str:
    return f'const {{ {", ".join(_names(match[1]))} }} = {REGISTRY}["{match[2]}"];\n'


def _without_comments(name: str, text: str) -> str:
    """Remove lines of comments. That, as removing indentation, is safe where no template spans lines."""
    code = _COMMENT.sub("", text.rstrip("\n") + "\n")
    for line in code.splitlines():
        if line.replace("\\`", "").count("`") % 2:
            raise LinkError(f"{name}: a template must not span lines: {line.strip()}")
    return code
