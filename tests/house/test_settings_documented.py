"""The README's table of settings matches the code."""

from broadcaster.settings.model import Setting, every_setting
from tests.house.project import read


def test_the_readme_contains_the_table_of_settings():
    table = "\n".join(
        ["| setting | default | what it is | allowed |", "|---|---|---|---|", *map(_row, every_setting())]
    )
    assert table in read("README.md"), f"README.md must contain:\n\n{table}\n"


def _row(setting: Setting) -> str:
    kind = setting.about.kind
    return f"| `{setting.path}` | `{kind.show(setting.default)}` | {setting.about.doc} | {kind.allowed} |"
