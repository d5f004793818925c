"""What an ES module is to the sandbox: told from its text alone, its exports, imports and errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sandbox_machine import Machine

Run = Callable[..., Machine]


@pytest.mark.parametrize(
    "code",
    [
        "export function f () { return 7 }",
        "export async function f () { await null; return 7 }",
        "export const f = () => 7",
        "export let f = () => 6; f = () => 7",
        "function g () { return 7 } export { g as f }",
        "export default { f () { return 7 } }",
        "export default new (class { f = () => 7 })()",
        "export { join as default } from 'node:path'; export const f = () => 7",
        "#!/usr/bin/env node\nexport const f = () => 7",
        "\ufeffexport const f = () => 7",
        "const n = await Promise.resolve(7); export const f = () => n",
        "import { createHash } from 'node:crypto'\n"
        "export const f = () => createHash('md5').digest().length - 9",
        "import assert from 'assert'; export const f = () => { assert.equal(1, 1); return 7 }",
        "import * as path from 'path'; export const f = () => path.join('1234', '67').length",
        "import p, { join as j } from 'path/posix'; export const f = () => p.join === j ? 7 : 0",
        "let exports = 7; export const f = () => exports",
        "export const f = () => (typeof require + typeof module).length - 11",
        "export const f = () => this === undefined && import.meta.url === undefined ? 7 : 0",
        "export const f = (() => { 'use strict'; return () => 7 })(); delete Object.prototype.x",
    ],
)
def test_every_form_of_a_module_is_loaded(run: Run, code: str) -> None:
    machine = run(code)
    assert machine.started.error is None, machine.started.error
    assert "f" in [export.name for export in machine.sandbox.exports]
    assert machine.value("f") == 7


def test_what_is_called_is_the_binding_of_that_moment(run: Run) -> None:
    machine = run("export let f = () => 1; export const change = () => { f = () => 2 }")
    assert machine.value("f") == 1
    machine.value("change")
    assert machine.value("f") == 2


def test_exports_come_in_the_order_of_the_namespace(run: Run) -> None:
    machine = run(
        "export function later (x, y) {} export const a = 1, b = z => z; class K {}"
        "; export { b as 'odd name' }; export default () => 1; export const init = () => {}"
    )
    assert [(e.name, e.parameters) for e in machine.sandbox.exports] == [
        ("b", ("z",)),
        ("default", ()),
        ("later", ("x", "y")),
        ("odd name", ("z",)),
    ]
    assert machine.value("odd name", 5) == 5


def test_a_default_object_counts_only_if_it_is_alone(run: Run) -> None:
    assert run("export default { f () {} }; export const n = 1").sandbox.exports == ()
    assert [e.name for e in run("export default () => 1").sandbox.exports] == ["default"]
    assert run("export default 5").sandbox.exports == ()
    assert run("export {}").sandbox.exports == ()


def test_hooks_of_a_module_run_at_the_start(run: Run) -> None:
    code = """let log = ''
              await new Promise(resolve => setTimeout(resolve, 50)).then(() => { log += 'top ' })
              export async function init () { await null; log += 'init' }
              export const read = () => log"""
    assert run(code).value("read") == "top "
    assert run(code, "init").value("read") == "top init"
    default = "let log = 1; export default { init () { log = 2 }, read () { return log } }"
    assert run(default, "init").value("read") == 2


def test_the_text_alone_tells_which_of_the_two_it_is(run: Run) -> None:
    # Sloppy mode, `arguments` and the module's variables are a CommonJS script's.
    assert run("exports.f = () => import('path').then(p => p.sep)").value("f") == "/"
    assert run("var await = 7; exports.f = () => await").value("f") == 7
    assert run("with ({ n: 7 }) exports.f = () => n").value("f") == 7
    started = run("const x = await 1; exports.f = () => x").started
    assert started.error == b'{"name":"ReferenceError","message":"exports is not defined"}'


@pytest.mark.parametrize(
    ("code", "error", "position"),
    [
        ("export const f = ;", "unexpected token in expression: ';'", (1, 18)),
        ("exports.f = ;", "unexpected token in expression: ';'", (1, 13)),
        ("exports.f = 1; export", "unsupported keyword: export", (1, 16)),
        ("import x from 'util'\n\nexport { y }", "exported variable 'y' does not exist", None),
        ("import { nope } from 'util'", "Could not find export 'nope' in module 'node:util'", None),
        ("export const f = 1; throw new TypeError('own')", "own", None),
        ("export const f = 1; await Promise.reject(new Error('late'))", "late", None),
        ("export const f = () => x; f(); let x = 1", "x is not initialized", None),
        ("import x from 'util' with { type: 'json' }", "Import attributes are not supp", None),
        ("export default 1; export default 2", "invalid redefinition of global identifier", None),
    ],
)
def test_a_module_that_does_not_load_says_why_and_where(
    run: Run, code: str, error: str, position: tuple[int, int] | None
) -> None:
    started = run(code).started
    assert started.error is not None
    assert error.encode() in started.error
    if position is not None:
        assert started.position == position


def test_a_module_that_never_ends_loading_does_not_start(run: Run) -> None:
    started = run("export const f = () => 1\nawait new Promise(() => {})").started
    assert started.error is not None
    assert b"ERR_NEVER_SETTLED" in started.error


def test_stacks_show_the_lines_of_the_script(run: Run) -> None:
    outcome = run("import 'util'\n\nexport function f () {\n  null.x\n}").call("f")
    assert outcome.stack == "    at f (script.js:4:3)"


def test_dynamic_imports_give_the_same_modules(run: Run) -> None:
    machine = run(
        """import * as path from 'path'
           export const f = async () => {
             const again = await import('node:path')
             return [again === path, again.default.join === path.join, Object.keys(again)[0]]
           }
           export const missing = name => import(name)
           export const attributes = () => import('path', { with: { type: 'json' } })"""
    )
    assert machine.value("f") == [True, True, "_makeLong"]
    for name in ("fs", "./path", "script.js", "node:nothing", "PATH", "", "data:text/javascript,1"):
        error = machine.error("missing", name)
        assert error["code"] == "ERR_MODULE_NOT_FOUND"
        assert str(error["message"]).startswith(f"Cannot find module '{name}'")
    assert machine.error("attributes")["name"] == "TypeError"
