"""The outside of a replay: the log says what seeds and oracles gave, and no oracle is run.

A value may be anything, for that is the host's word. What is checked is that the call asked these
oracles, in this order, and that they are such as an honest host writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from msgspec import Raw, UnsetType

from nodevms.audit.divergence import diverged, shorten
from nodevms.vm.entries import Entry, Oracle, oracles_of
from nodevms.vm.environment import Outside, SeedSource
from nodevms.vm.oracles import (
    HOST_CHARACTERS_MAX,
    HOSTS_MAX,
    Asked,
    hosts_of,
    misfit,
    text_of,
)

_SEED: Final = re.compile(r"[0-9a-f]{16}\Z")
_HOST: Final = re.compile(rf"[a-z0-9_.:\[\]-]{{1,{HOST_CHARACTERS_MAX}}}")
_NAMES: Final[tuple[list[str], ...]] = (
    [],
    ["value"],
    ["name", "message"],
    ["name", "message", "code"],
)


def recorded_outside(seq: int, what: str, entry: Entry, seed: str | UnsetType) -> Outside:
    """Return what an entry records of the outside, for its replay.

    Asking for what is not there raises a DivergenceError.

    Args:
        seq: The entry's position.
        what: Its name in messages.
        entry: The entry.
        seed: Its seed.
    """
    return Outside(_seeds(seq, what, seed), lambda: RecordedOracles(seq, what, oracles_of(entry)))


def _seeds(seq: int, what: str, seed: str | UnsetType) -> SeedSource:
    if not isinstance(seed, str):

        def refuse() -> NoReturn:
            raise diverged(seq, what, "seed", "a seed, for the call asks for one", None)

        return refuse
    if not _SEED.match(seed):
        raise diverged(seq, what, "seed", "16 hex digits", seed)
    return lambda: seed


class RecordedOracles:
    """The source of one call's oracles; see :class:`nodevms.vm.oracles.OracleSource`.

    Args:
        seq: The entry's position.
        what: The entry in words.
        recorded: What the entry says.
    """

    def __init__(self, seq: int, what: str, recorded: tuple[Oracle, ...]) -> None:
        self._seq = seq
        self._what = what
        self._recorded: Iterator[tuple[int, Oracle]] = enumerate(recorded)

    def __call__(self, asked: Asked) -> Oracle:
        """Take the next value of the entry.

        Raises:
            DivergenceError: There is none, it is another function's, or no oracle gives it.
        """
        wanted = f"that of function {asked.source}"
        number, oracle = next(self._recorded, (None, None))
        if oracle is None:
            raise diverged(
                self._seq, self._what, "oracles", f"one more, {wanted}, which the call asks", None
            )
        name = f"oracle {number}"
        if oracle.source != asked.source:
            raise diverged(
                self._seq,
                self._what,
                f"{name}, for the call asks another one in this place,",
                wanted,
                f"that of function {shorten(oracle.source, 80)}",
            )
        problem = _problem(oracle, asked.bytes_left)
        if problem is not None:
            raise diverged(self._seq, self._what, name, *problem)
        return oracle


def _problem(oracle: Oracle, bytes_left: int) -> tuple[str, object] | None:
    """Say what is expected and found where an oracle is none that an honest host writes."""
    text = text_of(oracle)
    limit = misfit(text, bytes_left)
    if limit is not None:
        return "a value within the limits", limit[1]
    if isinstance(oracle.err, Raw) and (isinstance(oracle.res, Raw) or not _is_error(text)):
        return "a value or an error", text
    hosts = hosts_of(oracle)
    if (
        oracle.hosts == ()
        or len(hosts) > HOSTS_MAX
        or list(hosts) != sorted(set(hosts))
        or not all(map(_HOST.fullmatch, hosts))
    ):
        return "names of hosts in order", ", ".join(hosts)
    return None


def _is_error(text: bytes) -> bool:
    """Tell whether a text is ``{"name","message","code"?}`` or ``{"value"?}``."""
    members = json.loads(text, object_pairs_hook=_Members, parse_int=float)
    if not isinstance(members, _Members):
        return False
    if [str(name) for name, _ in members] not in _NAMES:
        return False
    values = [value for _, value in members]
    if len(values) < 2:
        return True
    return all(isinstance(value, str) for value in values[:2]) and all(
        isinstance(value, str | float) for value in values[2:]
    )


class _Members(list[tuple[str, Any]]):
    """An object's members as they are written."""
