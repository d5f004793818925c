"""docs/clone.md says what the program has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nodevms.cli.clone import command
from nodevms.cli.clone_report import succeed
from nodevms.dat.clone import ENTRIES_MAX, Result, Skipped, cloning, contents, names
from nodevms.dat.clone.comparison import NAMED_MAX

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "clone.md").read_text()


def test_every_option_that_it_names_is_there() -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]*", TEXT)) <= options


def test_every_key_of_the_object_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = Skipped("path", "reason")
    succeed(bytes(32), Path("there"), Result(1, skipped=[skipped]), as_json=True)
    document = json.loads(capsys.readouterr().out)
    for key in (*document, *document["skipped"][0]):
        assert f"`{key}`" in TEXT


def test_its_numbers_are_those_of_the_program() -> None:
    for number, what in (
        (ENTRIES_MAX, "files and folders"),
        (cloning.WHOLE_HISTORY_MAX, "changes all metadata"),
        (contents._AHEAD_BLOCKS, "ahead"),
        (names.DEPTH_MAX, "folders deep"),
        (names.NAME_BYTES_MAX, "bytes, or with a NUL"),
        (NAMED_MAX, "paths each"),
    ):
        assert f"{number:,} {what}" in " ".join(TEXT.split())
