"""docs/rpc.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from nodevms.rpc import Limits
from nodevms.rpc.codes import CODES

PAGE = (Path(__file__).parents[3] / "docs" / "rpc.md").read_text()


def test_the_table_of_codes_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| (-\d+) \| `(.+?)` \| (.+?) \|", PAGE, re.MULTILINE)
    assert {int(number): (name, message) for number, name, message in rows} == dict(CODES)


def test_the_limits_are_the_defaults() -> None:
    limits = Limits()
    mib = 1 << 20
    for text in (
        f"arguments, without whitespace | {limits.arguments_bytes_max // mib} MiB",
        f"nesting | {limits.depth_max} levels",
        f"batches included | 1 MiB + {limits.envelope_bytes_max >> 10} KiB",
        f"read to its end | {limits.frame_bytes_max // mib} MiB",
        f"in a batch | {limits.batch_items_max:,}",
        f"an id | {limits.id_bytes_max} bytes",
        f"{limits.outgoing_bytes_max // mib} MiB, or {limits.stall_seconds:g} seconds",
        f"of all clients | {limits.unread_bytes_max // mib} MiB",
        f"a ping | {limits.heartbeat_seconds * 1.5:g} seconds",
        f"connections | {limits.connections_max:,}",
        f"over {limits.caller_bytes_max} bytes",
    ):
        assert text in PAGE
