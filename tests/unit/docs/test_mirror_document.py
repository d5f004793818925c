"""docs/mirror.md says what the program has."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from nodevms.audit.copy_limits import FETCH_BYTES_MAX, CopyLimits
from nodevms.cli import mirror
from nodevms.feed import parse_dat_url
from nodevms.vm.directory import Layout

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "mirror.md").read_text()
TEXT = " ".join(PAGE.split())


def test_its_transcripts_are_those_of_the_whole_example() -> None:
    network = (DOCS / "network.md").read_text()
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", PAGE, re.MULTILINE)
    shown = [block for block in blocks if block.startswith("    $ nodevms")]
    assert len(shown) == 2
    for block in shown:
        assert block.replace("    $ ", "    carol$ ") in network


def test_the_unit_for_systemd_runs_a_mirror_where_it_may_write() -> None:
    (unit,) = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    service = configparser.ConfigParser()
    service.read_string(unit)
    program, name, url, directory = service["Service"]["ExecStart"].split()
    assert Path(program).name == "nodevms"
    assert name == "mirror"
    parse_dat_url(url)
    assert directory == f"/var/lib/{service['Service']['StateDirectory']}"


def test_its_numbers_and_names_are_those_of_the_program() -> None:
    limits = CopyLimits()
    assert f"finds nobody for {limits.find_seconds:.0f} seconds" in TEXT
    assert f"nothing comes for {limits.stall_seconds:.0f}." in TEXT
    assert f"({FETCH_BYTES_MAX // 1024**3} GiB by default)" in TEXT
    assert mirror.LAST_SECONDS == 2
    assert "up to two seconds" in TEXT
    assert mirror.NOBODY_SECONDS == 5
    assert "after five seconds" in TEXT
    layout = Layout(Path("/mirror"))
    for path in (layout.metadata, layout.content, layout.evidence, layout.lock):
        assert f"`{path.relative_to(layout.root)}`" in PAGE
