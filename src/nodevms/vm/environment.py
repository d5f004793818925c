"""What a script finds around it during one call: who answers what the guest asks of its host.

Files come from the call's own view of them. Randomness and oracles come from the outside, which
is the computer for a running backend and the log for a replay.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET, UnsetType

from nodevms.archive import FileApi
from nodevms.sandbox import Guest, Operation
from nodevms.vm.entries import Oracle
from nodevms.vm.oracles import Oracles, OracleSource

SeedSource = Callable[[], str]
ConsoleSink = Callable[[int | None, str, str], None]
"""Takes the entry's position (None for a read-only call), a level and a text."""

_NO_ORACLES: Final = (
    b'{"err":{"name":"ReadOnlyError","message":"a read-only call cannot ask oracles"}}'
)


class FilesOnly:
    """Answers what the fork of an oracle may ask of its call: to read files."""

    def __init__(self, files: FileApi) -> None:
        self._files = files

    def call(self, operation: int, request: bytes, guest: Guest) -> bytes:
        """Answer one request; see :class:`nodevms.sandbox.Host`."""
        return self._files.handle(request, guest.charge) if operation == Operation.FILES else b""


@dataclass(frozen=True, slots=True)
class Outside:
    """Where a call gets what the log records beside its arguments.

    Attributes:
        seeds: 16 hex digits, when it asks for randomness.
        oracles: A new source for the oracles of one call, when it asks the first one.
    """

    seeds: SeedSource
    oracles: Callable[[], OracleSource]


class Environment:
    """Answers what the guest asks during one call.

    Args:
        files: The call's view of the files.
        seeds: Gives 16 hex digits when the call asks for randomness.
        console: Where the script's output goes.
        seq: The position of the call's entry; None for a read-only call.
        oracles: Gives the call's oracles when it asks the first one; None if it may ask none.

    Attributes:
        seed: The seed that the call asked for, if it did.
    """

    def __init__(
        self,
        files: FileApi,
        seeds: SeedSource,
        console: ConsoleSink | None,
        seq: int | None,
        oracles: Callable[[], Oracles] | None = None,
    ) -> None:
        self._seq = seq
        self._files = files
        self._seeds = seeds
        self._console = console
        self._begin_oracles = oracles
        self._oracles: Oracles | None = None
        self.seed: str | UnsetType = UNSET

    @property
    def given(self) -> tuple[Oracle, ...]:
        """What oracles gave so far, for the entry."""
        return () if self._oracles is None else tuple(self._oracles.given)

    def call(self, operation: int, request: bytes, guest: Guest) -> bytes:
        """Answer one request; see :class:`nodevms.sandbox.Host`."""
        if operation == Operation.FILES:
            return self._files.handle(request, guest.charge)
        if operation == Operation.SEED:
            if not isinstance(self.seed, str):
                self.seed = self._seeds()
            return self.seed.encode()
        if operation == Operation.ORACLE:
            if self._begin_oracles is None:
                return _NO_ORACLES
            if self._oracles is None:
                self._oracles = self._begin_oracles()
            return self._oracles.ask(request, guest)
        if operation == Operation.CONSOLE and self._console is not None:
            level, text = json.loads(request)
            self._console(self._seq, str(level), str(text))
        return b""
