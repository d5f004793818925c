"""The README's commands exist, and its transcripts are what the program prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from nodevms.cli import main

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KEY = re.compile(r"[0-9a-f]{64}")


def transcript(command: str) -> list[str]:
    """Return the lines that the README shows below a command."""
    lines = README.splitlines()
    start = lines.index(f"    $ {command}") + 1
    shown = []
    for line in lines[start:]:
        if line and not line.startswith("    "):
            break
        shown.append(line[4:])
    return "\n".join(shown).strip("\n").splitlines()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The address of ``exec examples/counter.js``, and what it printed."""
    place = tmp_path_factory.mktemp("bob")
    server = subprocess.Popen(
        nodevms("exec", str(ROOT / "examples" / "counter.js"), "-p", "0"),
        cwd=place,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    printed = [server.stdout.readline().rstrip("\n") for _ in range(5)]
    address = printed[0].split()[-1]
    yield address, [plain(line, address).replace(str(place), "/home/bob") for line in printed]
    server.terminate()
    assert server.wait(30) == 0
    server.stdout.close()


def nodevms(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nodevms.cli", *arguments]


def plain(line: str, address: str) -> str:
    return KEY.sub("KEY", line).replace(address, "localhost:5555")


def printed(address: str, *arguments: str, typed: str = "", state: Path | None = None) -> list[str]:
    environment = {**os.environ, "NO_COLOR": "1"} | (
        {"XDG_STATE_HOME": str(state)} if state else {}
    )
    done = subprocess.run(
        nodevms(*arguments),
        input=typed,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return [plain(line, address) for line in done.stdout.splitlines()]


def test_the_transcripts(
    served: tuple[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, lines = served
    assert lines == [
        KEY.sub("KEY", line) for line in transcript("nodevms exec examples/counter.js")
    ]

    session = transcript("nodevms repl localhost:5555")
    typed = "".join(line.removeprefix("> ") + "\n" for line in session if line.startswith(">"))
    values = [line for line in session[3:] if not line.startswith(">")]
    assert printed(address, "repl", address, typed=typed, state=tmp_path) == values

    called = printed(address, "call", address, "increment")
    assert called == transcript("nodevms call localhost:5555 increment")

    (curl,) = re.findall(r"    \$ (curl .*)\n    (.*)", README)
    (body,) = re.findall(r"-d '(.*?)'", curl[0])
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}", body.encode(), headers)
    with urllib.request.urlopen(request) as response:
        assert json.load(response) == json.loads(curl[1])

    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(example.replace("localhost:5555", address), {})
    assert capsys.readouterr().out == f"{example.split('# ')[1]}"

    assert "increment" in "\n".join(printed(address, "info", address))
    verified = printed(address, "verify", address, state=tmp_path)
    assert verified == transcript("nodevms verify localhost:5555")


def commands() -> dict[str, set[str]]:
    context = click.Context(main)
    found = {}
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        found[name] = {
            option for each in command.params for option in (*each.opts, *each.secondary_opts)
        }
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page: Path) -> None:
    known = commands()
    every = {"--help", "-h"}.union(*known.values())
    text = page.read_text()
    for command, rest in re.findall(r"\bnodevms (\w+)((?: [^`\n|]*)?)", text):
        if command in known:
            for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", rest):
                assert option in known[command] | {"--help"}, f"nodevms {command} {option}"
    if page.name in {"README.md", "trust.md", "rpc.md"}:
        for option in re.findall(r"`(--[a-z][a-z-]*)", text):
            assert option in every, option


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_target_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in link:
            continue
        file, _, part = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        if part:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings]
            assert part in slugs, link
    targets = set(re.findall(r"^([a-z_-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:^    |`)make ([a-z_-]+)", text, re.MULTILINE):
        assert target in targets, target


def test_the_scripts_are_those_of_the_examples() -> None:
    name, text = re.findall(r"```js\n// (\S+)\n(.*?)```", README, re.DOTALL)[0]
    assert text in (ROOT / name).read_text()
