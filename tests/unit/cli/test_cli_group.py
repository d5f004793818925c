"""What all commands have in common."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from served import Nodevms, Serving

from nodevms.cli import MODULES, main
from nodevms.cli.colour import colour_wish
from nodevms.cli.group import LazyGroup

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()


def test_without_a_command_there_is_help(nodevms: Nodevms) -> None:
    for done in (nodevms(), nodevms("-h")):
        for name in MODULES:
            assert f"\n  {name} " in done.output
        assert "..." not in done.output.partition("Commands:")[2]
    assert nodevms("-h").exit_code == 0


def test_an_unknown_command_is_told_the_nearest(nodevms: Nodevms) -> None:
    done = nodevms("verfiy", "x")
    assert done.exit_code == 2
    assert "No such command 'verfiy'. Did you mean 'verify'?" in done.stderr
    assert nodevms("--nosuch").exit_code == 2
    done = nodevms("./counter.js", "-p", "0")
    assert done.exit_code == 2
    assert "To serve a script: nodevms exec ./counter.js -p 0" in done.stderr


def test_the_version_names_the_engine(nodevms: Nodevms) -> None:
    first, second = nodevms("--version").stdout.splitlines()
    assert first.startswith("nodevms ")
    assert second.startswith("engine sha256:")


@pytest.mark.parametrize(
    ("raised", "exit_code", "told"),
    [
        (ZeroDivisionError("by\x1b[31m nothing"), 3, "internal error: ZeroDivisionError: by"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
    ],
)
def test_nothing_ends_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, exit_code: int, told: str
) -> None:
    @click.command()
    def command() -> None:
        raise raised

    monkeypatch.setattr("nodevms.cli.group.stop_writing", lambda: None)
    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: command)
    done = CliRunner().invoke(main, ["info"])
    assert done.exit_code == exit_code
    assert done.stdout == ""
    if told:
        assert told in done.stderr
        assert "NODEVMS_TRACEBACK=1" in done.stderr
        assert "Traceback" not in done.stderr
        assert r"by\x1b[31m nothing" in done.stderr
        monkeypatch.setenv("NODEVMS_TRACEBACK", "1")
        assert CliRunner().invoke(main, ["info"]).exception is raised
    else:
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("environ", "wish"),
    [
        ({}, None),
        ({"NO_COLOR": ""}, None),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, None),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True),
        ({"CLICOLOR": "0"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm-256color"}, None),
    ],
)
def test_the_environment_says_whether_there_are_colours(
    environ: dict[str, str], wish: bool | None
) -> None:
    assert colour_wish(environ) is wish


def test_colours_are_for_terminals_or_for_who_asks(
    backend: Serving, nodevms: Nodevms, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = ["repl", backend.address, "-e", "({ a: 1, b: 'x', c: null, d: undefined })"]
    error = ["repl", backend.address, "-e", "nope"]
    assert nodevms(*value).stdout == "{ a: 1, b: 'x', c: null, d: undefined }\n"
    assert "\x1b[" not in nodevms(*error).stderr
    monkeypatch.setenv("FORCE_COLOR", "1")
    green, red, yellow = "\x1b[32m'x'\x1b[0m", "\x1b[31mReferenceError", "\x1b[33m1\x1b[0m"
    assert green in nodevms(*value).stdout
    assert yellow in nodevms(*value).stdout
    assert red in nodevms(*error).stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in nodevms(*value).stdout + nodevms(*error).stderr


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("exec", "verify")])
def test_the_document_has_every_option_and_every_example(nodevms: Nodevms, name: str) -> None:
    _, _, section = DOCUMENT.partition(f"\n## nodevms {name}\n")
    section = section.partition("\n## ")[0]
    assert section, f"docs/cli.md has no section for {name}"
    shown = nodevms(name, "--help").stdout
    command = main.get_command(click.Context(main), name)
    assert command is not None
    for parameter in command.params:
        options = [text for text in parameter.opts if text.startswith("--")]
        for option in options:
            assert f"`{option}" in section or f", {option}" in section, option
    examples = [line.strip() for line in shown.splitlines() if line.startswith("  nodevms ")]
    for example in examples:
        assert example in section, example
    assert f"nodevms {name} " in shown


def test_the_document_says_how_to_make_shells_complete(nodevms: Nodevms) -> None:
    for line in (
        'eval "$(nodevms completion bash)"',
        'eval "$(nodevms completion zsh)"',
        "nodevms completion fish | source",
    ):
        assert line in DOCUMENT
        assert line in nodevms("completion", "--help").stdout
    for shell in ("bash", "zsh", "fish"):
        done = nodevms("completion", shell)
        assert done.exit_code == 0
        assert f"_NODEVMS_COMPLETE={shell}_complete" in done.stdout
    assert nodevms("completion", "csh").exit_code == 2
