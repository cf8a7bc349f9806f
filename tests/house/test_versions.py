"""Every place that names a version names the same one."""

import re
import tomllib

from broadcaster import __version__
from broadcaster.supported import TOO_NEW
from tests.house.project import read

PYTHONS = ["3.11", "3.12", "3.13"]
PROJECT = tomllib.loads(read("pyproject.toml"))


def test_pyproject():
    classifiers = " ".join(PROJECT["project"]["classifiers"])
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]},<3.{TOO_NEW[1]}"
    assert re.findall(r"Python :: (3\.\d+)", classifiers) == PYTHONS


def test_tools():
    assert PROJECT["tool"]["mypy"]["python_version"] == PYTHONS[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{PYTHONS[0].replace('.', '')}"


def test_make_and_readme():
    supported = read("broadcaster/supported.py")
    assert f"OLDEST = ({PYTHONS[0].replace('.', ', ')})" in supported
    assert f"TOO_NEW = (3, {int(PYTHONS[-1].split('.')[1]) + 1})" in supported
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in supported
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in read("README.md")


def test_workflow():
    assert f"python: {PYTHONS!s}".replace("'", '"') in read(".github/workflows/check.yml")


def test_changelog():
    newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__
