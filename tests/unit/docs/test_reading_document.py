"""docs/reading.md and ADR 0075 say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from nodevms.rpc.files import headers
from nodevms.rpc.files.address import PAGE_ENTRIES_MAX
from nodevms.rpc.files.listing import Listing

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reading.md").read_text()


def test_the_example_is_a_listing_with_all_its_members() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found
    example = json.loads(found[1])
    listing = msgspec.convert(example, Listing)
    assert msgspec.to_builtins(listing) == example
    for name in example:
        assert f"`{name}`" in PAGE


def test_the_limit_is_the_one_in_the_code() -> None:
    assert f"1 to {PAGE_ENTRIES_MAX:,} (the default)" in PAGE
    assert f"at most {PAGE_ENTRIES_MAX:,} entries" in PAGE


def test_the_decision_has_the_policy() -> None:
    decision = (DOCS / "adr" / "0075-files-run-nothing-in-a-browser.md").read_text()
    assert f"Content-Security-Policy: {headers.FILE_POLICY}" in re.sub(r"\n\s+", " ", decision)
    assert headers.FILE_POLICY.partition(" img-src")[0] in PAGE
