"""The oracles of one call: how many, how large, and what the entry says of them.

Where a value comes from is the business of an :class:`OracleSource`: a live backend runs the
function in a fork, a replay takes the value from the log. Everything here, and all that the call
pays, is the same for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from msgspec import Raw

from nodevms.json_text import deeper_than
from nodevms.sandbox import Guest, Host, limit_error
from nodevms.vm.entries import JSON_DEPTH_MAX, Oracle, spelled_bytes
from nodevms.vm.limits import Limits

VALUE_BYTE_GAS: Final = 10
FREE_BYTES: Final = 256
"""What each oracle may give beside ``oracle_bytes``, so that a limit's error always fits."""
HOSTS_MAX: Final = 8
HOST_CHARACTERS_MAX: Final = 260
"""A name of at most 253 characters, a colon, and a port; an IPv6 address has brackets."""
ORACLE_BASE_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """An oracle that a call asks.

    Attributes:
        source: SHA-256 of the function's source text in hex.
        guest: The guest that waits for it.
        inside: Answers a fork what the call itself may ask.
        bytes_left: How much of ``oracle_bytes`` is left.
    """

    source: str
    guest: Guest
    inside: Host
    bytes_left: int


class OracleSource(Protocol):
    """Where the oracles of one call get their values."""

    def __call__(self, asked: Asked, /) -> Oracle:
        """Say what the function ended with. It must fit, see :func:`misfit`.

        Raises:
            Exception: It ends the call.
        """


class Oracles:
    """Answers the oracles of one call.

    Attributes:
        given: What they gave, for the entry.
    """

    def __init__(self, limits: Limits, source: OracleSource, inside: Host) -> None:
        self._limits = limits
        self._source = source
        self._inside = inside
        self._bytes_left = limits.oracle_bytes
        self.given: list[Oracle] = []

    def ask(self, request: bytes, guest: Guest) -> bytes:
        """Answer the guest; see :class:`nodevms.sandbox.Host`.

        Raises:
            OutOfGas: From the guest.
            Exception: From the source.
        """
        if len(self.given) >= self._limits.oracles:
            message = f"A call may ask {self._limits.oracles:,} oracles"
            return b'{"err":%b}' % limit_error("ERR_ORACLES", message)
        hashed = sha256(request).hexdigest()
        oracle = self._source(Asked(hashed, guest, self._inside, self._bytes_left))
        self.given.append(oracle)
        text = text_of(oracle)
        self._bytes_left -= max(0, len(text) - FREE_BYTES)
        guest.charge(VALUE_BYTE_GAS * len(text))
        if isinstance(oracle.err, Raw):
            return b'{"err":%b}' % text
        return b'{"res":%b}' % text if text else b"{}"


def text_of(oracle: Oracle) -> bytes:
    """Return the JSON text of value or error; empty for ``undefined``."""
    for text in (oracle.res, oracle.err):
        if isinstance(text, Raw):
            return bytes(text)
    return b""


def misfit(text: bytes, bytes_left: int) -> tuple[str, str] | None:
    """Say with a code and a sentence why an oracle may not give a text; None if it may."""
    most = bytes_left + FREE_BYTES
    if len(text) > most:
        return "ERR_ORACLE_SIZE", f"The oracle gave {len(text):,} bytes; {most:,} are left"
    if deeper_than(text, JSON_DEPTH_MAX):
        return "ERR_ORACLE_DEPTH", f"The value nests deeper than {JSON_DEPTH_MAX} levels"
    return None


def entry_bytes(oracles: Iterable[Oracle]) -> int:
    """Return how many bytes of an entry oracles are taken for, at least as many as they take."""
    return sum(
        ORACLE_BASE_BYTES
        + len(text_of(oracle))
        + sum(1 + spelled_bytes(host) for host in hosts_of(oracle))
        for oracle in oracles
    )


def hosts_of(oracle: Oracle) -> tuple[str, ...]:
    """Return the hosts that an oracle asked."""
    return oracle.hosts if isinstance(oracle.hosts, tuple) else ()
