"""The README's table of settings is the code's."""

from broadcaster.settings.model import Setting, every_setting
from tests.house.project import read


def test_the_readme_has_the_table():
    table = "\n".join(
        ["| setting | default | what it is | allowed |", "|---|---|---|---|", *map(_row, every_setting())]
    )
    assert table in read("README.md"), f"this belongs into README.md:\n\n{table}\n"


def _row(setting: Setting) -> str:
    kind = setting.about.kind
    return f"| `{setting.path}` | `{kind.show(setting.default)}` | {setting.about.doc} | {kind.allowed} |"
