"""What is said of something else where a Dat URL is wanted: what to type."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from nodevms.cli import main

KEY = "5f0c" * 16
NAMES = "Names are not looked up here."
INFO = "Type the URL that nodevms info {} prints behind {}"
FILES, LOG = "Files: after nodevms clone.", "Call log: after nodevms mirror."


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["clone", "localhost:5555"], INFO.format("localhost:5555", FILES)),
        (["clone", "wss://example.org/bob"], INFO.format("wss://example.org/bob", FILES)),
        (["clone", "my counter"], INFO.format("'my counter'", FILES)),
        (["mirror", "localhost:5555"], INFO.format("localhost:5555", LOG)),
        (["clone", "nothing"], "A Dat URL is dat:// followed by 64 hex digits."),
        (["clone", KEY], f"Type nodevms clone dat://{KEY}"),
        (["mirror", KEY], f"Type nodevms mirror dat://{KEY}"),
        (["verify", KEY], f"Type dat://{KEY} for the backend"),
        (["log", KEY], f"Type dat://{KEY} for the backend"),
        (["clone", f"dat://{KEY}/a.txt"], f"dat://{KEY}, without what follows the key."),
        (["log", f"dat://{KEY}+7"], f"dat://{KEY}, without what follows the key."),
        (["clone", "dat://5f0c"], "A key has 64 hex digits, and this one has 4."),
        (["clone", "dat://example.org"], f"{NAMES} Type the key"),
        (["verify", "dat://example.org/"], f"{NAMES} Type the key"),
        (["log", "dat://example.org"], "https://example.org/.well-known/dat"),
        (["verify", "localhost:1", "--log", "dat://example.org"], NAMES),
        (["verify", "localhost:1", "--files", KEY], f"Type nodevms verify --files dat://{KEY}"),
        (["clone", "dat://a\x1b[2Jb"], "A Dat URL is dat:// followed by 64 hex digits."),
        (["clone", "localhost:5555" + "/a" * 100], "A Dat URL is dat:// followed"),
        (["info", f"dat://{KEY}"], "Type the address that exec prints."),
        (["call", f"dat://{KEY}", "increment"], "Type the address that exec prints."),
        (["repl", f"dat://{KEY}"], "Type the address that exec prints."),
    ],
)
def test_what_to_type_instead(place: Path, arguments: list[str], hint: str) -> None:
    (place / "my counter").mkdir()
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2, done.output
    assert hint in done.stderr
    assert "\x1b" not in done.stderr
    assert [path.name for path in place.iterdir()] == ["my counter"]


def test_a_directory_with_the_name_of_a_key_is_a_directory(place: Path) -> None:
    (place / KEY).mkdir()
    done = CliRunner().invoke(main, ["log", KEY])
    assert "holds no" in done.stderr
