"""The linker of the page's modules: what it makes of each form, and what it refuses."""

import shutil
import subprocess
from pathlib import Path

import pytest

from broadcaster.web.linker import REGISTRY, Linker, LinkError

A = """/** A module. */

import { b, Later } from "./b.mjs";
import {
  c,
} from "./c.mjs";

/** A constant, whose text is no module syntax. */
export const a = `import ${b} and export //${c}`;

// a comment
export async function wait() {
  /** @type {string} */
  const text = await Promise.resolve("/** not a comment */");
  return text;
}
export const own = new Later().name; /** @type {string} */ const after = "kept";
export const last = () => after;
"""
B = """import { c } from "./c.mjs";

/** @type {(text: string) => string} */ const twice = (text) => text + text;
export const b = twice(c);
export class Later {
  name = "later";
}
"""
C = """export const c = "c";
export const url = () => import.meta.url;
export const load = () => import("./d.mjs" + "?1");
"""


def make(folder: Path, **modules: str) -> Linker:
    """Return a linker of these modules."""
    for name, text in modules.items():
        (folder / f"{name}.mjs").write_text(text, "utf-8")
    return Linker(folder, "viewer/", "linked/")


def test_modules_come_in_the_order_of_evaluation(tmp_path: Path) -> None:
    linker = make(tmp_path, a=A, b=B, c=C)
    assert linker.order("a.mjs") == ["c.mjs", "b.mjs", "a.mjs"]
    assert linker.order("a.mjs", ["c.mjs"]) == ["b.mjs", "a.mjs"]
    assert linker.imported_later(["a.mjs", "b.mjs"]) == []
    assert linker.imported_later(["b.mjs", "c.mjs"]) == ["d.mjs"]


def test_script_has_no_module_syntax_no_comments_and_the_right_addresses(tmp_path: Path) -> None:
    script = make(tmp_path, a=A, b=B, c=C).script(["c.mjs", "b.mjs", "a.mjs"])
    assert f'const {{ b, Later }} = {REGISTRY}["b.mjs"];' in script
    assert f'const {{ c }} = {REGISTRY}["c.mjs"];' in script
    assert "return { a, wait, own, last };" in script
    assert 'new URL("viewer/c.mjs", document.baseURI).href' in script
    assert 'import("./viewer/linked/d.mjs" + "?1")' in script
    assert "A constant" not in script
    assert "// a comment" not in script
    assert '"/** not a comment */"' in script
    assert "const twice" in script
    assert 'const after = "kept"' in script


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; `make test` installs it")
def test_values_are_those_of_the_modules(tmp_path: Path) -> None:
    linker = make(tmp_path, a=A, b=B, c=C)
    start = f'"use strict";\nconst {REGISTRY} = {{}};\n{linker.script(linker.order("b.mjs"))}'
    rest = linker.script(linker.order("a.mjs", ["b.mjs", "c.mjs"]))
    values = (
        f'const {{ a, wait, own, last }} = {REGISTRY}["a.mjs"]; wait().then((t) => console.log(a, own, last(), t));'
    )
    output = subprocess.run(["node", "-e", start + rest + values], capture_output=True, text=True, check=True).stdout
    assert output == "import cc and export //c later kept /** not a comment */\n"


def test_later_modules_leave_out_what_the_page_has(tmp_path: Path) -> None:
    module = make(tmp_path, a=A, b=B, c=C).module("a.mjs", ["b.mjs", "a.mjs"])
    assert f'{REGISTRY}["c.mjs"] ??=' not in module
    assert f'{REGISTRY}["b.mjs"] ??=' in module
    assert module.endswith(f'export const {{ a, wait, own, last }} = {REGISTRY}["a.mjs"];\n')


def test_dynamic_imports_of_later_modules_are_beside_them(tmp_path: Path) -> None:
    assert 'import("./d.mjs" + "?1")' in make(tmp_path, c=C).module("c.mjs", ["c.mjs"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('import b from "./b.mjs";\n', "cannot link this: import b"),
        ('import * as b from "./b.mjs";\n', "cannot link this"),
        ('import "./b.mjs";\n', "cannot link this"),
        ('import { b as other } from "./b.mjs";\n', "b.mjs exports no b as other"),
        ('import { missing } from "./b.mjs";\n', "b.mjs exports no missing"),
        ('import { b } from "https://host.example/b.mjs";\n', "cannot link this"),
        ('import { b } from "./missing.mjs";\n', "missing.mjs: No such file"),
        ("export default 1;\n", "cannot link this"),
        ("export let a = 1;\n", "cannot link this"),
        ("export const { a } = {};\n", "cannot link this"),
        ("const a = 1;\nexport { a };\n", "cannot link this"),
        ('export * from "./b.mjs";\n', "cannot link this"),
        ("await 1;\n", "cannot link this"),
        ("const a = await fetch(1);\n", "cannot link this"),
        ("export const a = await fetch(1);\n", "cannot link this"),
        ("const load = (name) => import(name);\n", "must be a string"),
        ("const load = (name) => import(`./${name}`);\n", "must be a string"),
        ("const meta = import.meta;\n", "no value but its url"),
        ("const a = `\n  text\n`;\n", "template must not span lines"),
        ('const a = "</script>";\n', "cannot be inlined"),
        ('const a = "<!-- ";\n', "cannot be inlined"),
        ('import { a } from "./a.mjs";\nexport const b = a;\n', "circular import: a.mjs → a.mjs"),
    ],
)
def test_other_forms_are_refused(text: str, why: str, tmp_path: Path) -> None:
    linker = make(tmp_path, a=text, b="export const b = 1;\n")
    with pytest.raises(LinkError, match=why.replace(".", r"\.")):
        linker.script(linker.order("a.mjs"))
