"""An HTML page as one document: the scripts and style sheets that it names, inlined, and the hashes that allow them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from broadcaster.web.linker import REGISTRY, Linker, LinkError

PATH = "viewer/"
"""The URL of the folder, relative to the page."""
LINKED = "linked/"
"""The URL of linked modules, relative to the folder."""

_SCRIPT = re.compile(rf'<script type="module" src="{PATH}([\w.-]+)"></script>')
_STYLE = re.compile(rf'<link rel="stylesheet" href="{PATH}([\w.-]+)">')


class Document:
    """The page `name` of a folder. Raises `LinkError` if a file is missing or a module cannot be linked.

    `modules` are the modules that the page imports later, linked without those that are inlined, by file name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._linker = Linker(folder, PATH, LINKED)
        self._evaluated: list[str] = []
        self._hashes: dict[str, list[str]] = {"script": [], "style": []}
        html = self._read(name)
        self.html = _STYLE.sub(self._style, _SCRIPT.sub(self._script, html))
        self.modules = dict(self._later())

    @property
    def script_sources(self) -> str:
        """The hashes of the inlined scripts, for `script-src` (CSP 3 §2.3.1); empty, or with a leading space."""
        return "".join(self._hashes["script"])

    @property
    def style_sources(self) -> str:
        """The same for `style-src`."""
        return "".join(self._hashes["style"])

    def _script(self, match: re.Match[str]) -> str:
        names = self._linker.order(match[1], self._evaluated)
        start = "" if self._evaluated else f"const {REGISTRY} = {{}};\n"
        self._evaluated += names
        return self._inlined("script", f'"use strict";\n{start}{self._linker.script(names)}')

    def _style(self, match: re.Match[str]) -> str:
        return self._inlined("style", self._read(match[1]))

    def _read(self, name: str) -> str:
        try:
            return (self._folder / name).read_text("utf-8")
        except OSError as error:
            raise LinkError(f"{name}: {error.strerror}") from error

    def _inlined(self, tag: str, text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        self._hashes[tag].append(f" 'sha256-{base64.b64encode(digest).decode()}'")
        return f"<{tag}>{text}</{tag}>"

    def _later(self) -> Iterator[tuple[str, str]]:
        for name in self._linker.imported_later(self._evaluated):
            yield name, self._linker.module(name, self._linker.order(name, self._evaluated))
