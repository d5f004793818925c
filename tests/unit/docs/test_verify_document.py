"""docs/verify.md says what the program does."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nodevms.audit import SECONDS_MAX, published, replay, verifier
from nodevms.audit.fetch import FETCH_BYTES_MAX
from nodevms.audit.transfer import Patience
from nodevms.cli import main
from nodevms.cli.verify import command
from nodevms.cli.verify_report import VERDICTS
from nodevms.feed import BLOCK_BYTES_MAX
from nodevms.vm.entries import ENTRY_BYTES_MAX, JSON_DEPTH_MAX
from nodevms.vm.limits import CEILINGS

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "verify.md").read_text()
SOURCES = ROOT / "src" / "nodevms"
GOLDEN = ROOT / "tests" / "replay" / "golden"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name, golden in (("counter", "honest-counter"), ("tampered", "lie-result")):
        shutil.copytree(GOLDEN / golden, tmp_path / name)


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", *arguments])


def examples(language: str) -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)]


def test_each_console_example_prints_what_it_shows() -> None:
    shown = re.findall(r"^    \$ nodevms verify (\S+)\n((?:(?:    .*)?\n)+?)(?=\S)", TEXT, re.M)
    assert len(shown) == 2
    for target, output in shown:
        done = CliRunner().invoke(main, ["verify", target])
        printed = [line.rstrip() for line in done.output.strip().splitlines()]
        wanted = [line.removeprefix("    ") for line in output.strip("\n").splitlines()]
        assert printed == [line.strip("\n") for line in wanted]


def test_every_option_is_described_and_none_else() -> None:
    names = (o for p in command.params for o in (*p.opts, *p.secondary_opts))
    options = {name for name in names if name.startswith("--")}
    section = TEXT.partition("## Options")[2].partition("\n## ")[0]
    described = set(re.findall(r"^- `(--[a-z-]+)|(?:, |\. )`(--[a-z-]+)[ `]", section, re.M))
    assert {a or b for a, b in described} == options
    assert set(re.findall(r"(?<!-)--[a-z][a-z-]+", TEXT)) - options == {"--limit", "--save"}


def test_the_json_documents_have_these_members() -> None:
    verified, refuted = examples("json")
    for target, shown in (("counter", verified), ("tampered", refuted)):
        document = json.loads(verify(target, "--json").stdout)
        assert list(document) == list(shown)
        assert {k: type(v) for k, v in document.items()} == {k: type(v) for k, v in shown.items()}
        for key, value in shown.items():
            if key not in {
                "gas",
                "filesRoot",
                "heapHash",
                "callLogUrl",
                "filesArchiveUrl",
                "starts",
            }:
                assert document[key] == value, key
        if "starts" in shown:
            assert list(document["starts"][0]) == list(shown["starts"][0])


def test_the_exit_codes_are_these() -> None:
    section = TEXT.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d) \| `([a-z-]+)` \|", section, re.M)
    assert {int(code): verdict for code, verdict in rows} == VERDICTS
    assert verify("counter").exit_code == 0
    assert verify("tampered").exit_code == 1
    assert verify("./nowhere").exit_code == 2
    assert verify("localhost:1").exit_code == 3


def test_every_code_in_the_table_is_one_of_the_programs() -> None:
    table = TEXT.rpartition("The codes:")[2].partition("\n## ")[0]
    codes = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", table))
    assert len(codes) > 30
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py"))
    assert {code for code in codes if f'"{code}"' not in text} == set()


def test_the_ceilings_are_these() -> None:
    section = " ".join(TEXT.partition("## Ceilings")[2].partition("\n## ")[0].split())
    mib = 1024 * 1024
    assert f"gas {CEILINGS.gas:,} a call" in section
    assert f"memory {CEILINGS.memory_bytes // mib} MiB" in section
    assert f"arguments and results {CEILINGS.args_bytes // mib} MiB" in section
    assert CEILINGS.args_bytes == CEILINGS.result_bytes
    assert f"written bytes {CEILINGS.written_bytes // mib} MiB" in section
    assert f"an entry of {ENTRY_BYTES_MAX // mib} MiB" in section
    assert 8 * mib - 16 * 1024 == BLOCK_BYTES_MAX
    assert "a block of 8 MiB less 16 KiB" in section
    assert f"JSON of {JSON_DEPTH_MAX} levels" in section
    assert f"{replay.STARTS_MAX:,} starts" in section
    assert f"{published.UNPUBLISHED_MAX:,} changed paths" in section
    assert f"{verifier.REPLAY_DISK_BYTES_MAX // mib // 1024} GiB of contents" in section
    assert SECONDS_MAX == 24 * 3600
    assert f"{FETCH_BYTES_MAX // mib // 1024} GiB to fetch" in section
    assert f"{Patience().stall_seconds:g} seconds in which a server says nothing" in section
