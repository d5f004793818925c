"""What a CommonJS script is, its exports, and where its errors are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sandbox_machine import Machine

Run = Callable[..., Machine]


@pytest.mark.parametrize(
    "code",
    [
        "exports.f = () => 7",
        "exports.f = async () => { await null; return 7 }",
        "module.exports = {f () { return this === module.exports ? 7 : 0 }}",
        "module.exports = function () {}; module.exports.f = () => 7",
        "module.exports = class Api { static n = 7; static f = () => this.n }",
        "this.f = () => 7",
        "exports.f = (function () { return this.n }).bind({n: 7})",
        "exports.f = new Proxy(() => 7, {})",
        "Object.defineProperty(exports, 'f', {enumerable: true, get: () => () => 7})",
        "return void (exports.f = () => 7)",
        "'use strict'\nexports.f = function () { return this === exports ? 7 : 0 }",
        "#!/usr/bin/env node\nexports.f = () => 7",
        "\ufeff#!/usr/bin/env node\nexports.f = () => 7",
        "const System = 7, console = System; exports.f = () => console",
        "function later () { return 7 } exports.f = later",
    ],
)
def test_every_form_of_a_module_is_loaded(run: Run, code: str) -> None:
    machine = run(code)
    assert [export.name for export in machine.sandbox.exports] == ["f"]
    assert machine.value("f") == 7


@pytest.mark.parametrize(
    "code",
    [
        "",
        "module.exports = null",
        "module.exports = 5",
        "exports = {f: () => 1}",
        "module.exports = class { static f () {} }",
        "module.exports = new (class { f () {} })()",
        "exports.n = 1; exports[Symbol('f')] = () => 1; exports['\\ud800'] = () => 1",
        "exports.init = exports.upgrade = () => 1",
    ],
)
def test_what_is_no_own_enumerable_function_is_no_export(run: Run, code: str) -> None:
    machine = run(code)
    assert machine.started.error is None
    assert machine.sandbox.exports == ()
    assert machine.error("f") == {
        "name": "TypeError",
        "message": "The script no longer exports this method",
    }


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "hasOwnProperty", "0"])
def test_what_is_inherited_cannot_be_called(run: Run, name: str) -> None:
    assert "no longer exports" in str(run("exports.f = () => 1").error(name)["message"])


def test_hooks_run_at_the_start_and_are_awaited(run: Run) -> None:
    code = """let log = ''
              exports.init = async () => { await new Promise(r => setTimeout(r, 9)); log += 'init' }
              exports.upgrade = () => { log += 'upgrade' }
              exports.log = () => log"""
    assert run(code).value("log") == ""
    assert run(code, "init").value("log") == "init"
    assert run(code, "upgrade").value("log") == "upgrade"
    assert run("exports.f = () => 1", "init").value("f") == 1


@pytest.mark.parametrize(
    ("code", "name", "position"),
    [
        ("var a = 1\nexports.x = ;\n", "SyntaxError", (2, 13)),
        ("#!/bin/x\n\n  }", "SyntaxError", (3, 3)),
        ("\ufeff\nlet let = 1", "SyntaxError", (2, 5)),
        ("exports.f = () => 1 }; (() => {", "SyntaxError", (1, 21)),
        ("'use strict'\nwith (a) {}", "SyntaxError", (2, 1)),
        ("throw new TypeError('at load')", "TypeError", None),
        ("exports.f = nothing", "ReferenceError", None),
        ("require('fs')", "Error", None),
    ],
)
def test_a_script_that_does_not_load_says_why_and_where(
    run: Run, code: str, name: str, position: tuple[int, int] | None
) -> None:
    started = run(code).started
    assert started.error is not None
    assert started.error.startswith(b'{"name":"%s"' % name.encode())
    assert started.position == position
    assert started.stack is not None
    assert "script.js:" in started.stack


def test_a_script_may_export_a_thousand_functions_and_no_more(run: Run) -> None:
    code = "for (let i = 0; i < %d; i++) exports['f' + i] = () => i"
    assert len(run(code % 1000).sandbox.exports) == 1000
    started = run(code % 1001).started
    assert started.error == b'{"name":"RangeError","message":"A script may export 1000 functions"}'


def test_exports_are_listed_with_their_parameters(run: Run) -> None:
    machine = run(
        "module.exports = {init () {}, a (x, {y}, z = [1, 2], ...rest) {}, b: async q => q, n: 1}"
    )
    assert [(e.name, e.parameters) for e in machine.sandbox.exports] == [
        ("a", ("x", "arg1", "z", "rest")),
        ("b", ("q",)),
    ]


def test_exports_may_change_while_the_script_runs(run: Run) -> None:
    machine = run("exports.f = () => { exports.g = () => 2; delete exports.f; return 1 }")
    assert machine.value("f") == 1
    assert machine.value("g") == 2
    assert "no longer exports" in str(machine.error("f")["message"])


def test_state_in_memory_lives_from_call_to_call(run: Run) -> None:
    machine = run("var i = 0\nexports.increment = () => ++i")
    assert [machine.value("increment") for _ in range(3)] == [1, 2, 3]


def test_any_number_of_json_arguments(run: Run) -> None:
    machine = run(
        "exports.f = (...all) => all; exports.n = function () { return arguments.length }"
    )
    values = [1, -0.5, "é\u2028", None, True, [], {"a": {"__proto__": [1]}}, "\U0001f600"]
    assert machine.value("f", *values) == values
    assert machine.value("n") == 0
    assert machine.value("n", *range(5000)) == 5000
    assert machine.error("n", *range(65536))["name"] == "RangeError"
