"""What people name to ``verify`` and ``info``."""

from __future__ import annotations

import pytest

from nodevms.cli.target import taken_for_an_address
from nodevms.rpc import ConnectionFailedError


@pytest.mark.parametrize(
    ("target", "known", "hint"),
    [
        ("counter", None, "There is no directory counter here either."),
        ("data/counter", "Is it running?", "Is it running?"),
        ("example.org:5555", None, None),
        ("wss://example.org/", None, None),
    ],
)
def test_a_mistyped_directory_is_not_only_an_unknown_host(
    target: str, known: str | None, hint: str | None
) -> None:
    with pytest.raises(ConnectionFailedError) as raised, taken_for_an_address(target):
        raise ConnectionFailedError("name or service not known", hint=known)
    assert raised.value.hint == hint
