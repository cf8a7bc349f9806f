"""A Debian tree of another architecture, and the project in a virtual environment in it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.system.registries import package_folders
from tests.system.trees import CHECKOUT, EMULATION, make_tree, run

ENVIRONMENT = "/root/venv"
_ENTER = str(Path(__file__).with_name("enter.sh"))
_EXTRA = ("python3-venv", "alsa-utils", "iproute2")
"""Debian packages that the project needs; `make install` would install them, which takes minutes here."""

_VARIABLES = {
    "PATH": f"{ENVIRONMENT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "TMPDIR": "/tmp",
    "PYTHONDONTWRITEBYTECODE": "1",
    "CI": "1",  # deterministic examples of hypothesis
}


class Tree:
    """The system of one release in `root`; its programs use the host's network."""

    def __init__(self, root: Path, release: str) -> None:
        self.root = root
        self.release = release

    def make(self) -> None:
        """Unpack the system, or build it the first time, which takes minutes."""
        make_tree(self.root, self.release, "arm64", _EXTRA)

    def run(self, *command: str, limit: float = 60) -> str:
        """Run a command in the checkout, and return its output. Raises `AssertionError` if it fails."""
        return run(self._enter(*command), limit * EMULATION)

    @contextlib.contextmanager
    def running(self, *command: str) -> Iterator[None]:
        """Run a command inside the block and kill it at the end; its output is added to an `AssertionError`."""
        log = self.root.parent / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(self._enter(*command), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            try:
                yield
                assert process.poll() is None, f"{command[0]} has exited"
            except AssertionError as error:
                raise AssertionError(f"{log.read_text('utf-8', 'replace')}\n{error}") from error
            finally:
                process.kill()
                process.wait()

    def _enter(self, *command: str) -> list[str]:
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        variables = [f"{name}={value}" for name, value in _VARIABLES.items()]
        inside = ["env", f"--chdir={CHECKOUT}", *variables, *command]
        return [*namespaces, _ENTER, str(self.root), *map(str, package_folders()), "--", *inside]
