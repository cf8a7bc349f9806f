"""One container per release, shared by all tests, which build on each other."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.system.container import Container
from tests.system.trees import RELEASES, make_tree


@pytest.fixture(scope="session", params=RELEASES)
def container(request, tmp_path_factory):
    """A clean, booted system that contains the checkout, with nothing installed."""
    if os.geteuid() != 0:
        pytest.skip("systemd in a container needs root: sudo make test-system")
    missing = [program for program in ("mmdebstrap", "systemd-nspawn", "nsenter") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; `make test-system` installs them where possible")
    folder = tmp_path_factory.mktemp(request.param)
    system = Container(folder / "tree")
    try:
        make_tree(system.root, request.param, extra=("locales",))
        system.boot()
        yield system
    finally:
        system.close()
        shutil.rmtree(folder, ignore_errors=True)
