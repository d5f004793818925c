"""Comparison of an entry with its replay, field by field.

Everything in an entry's ``result`` is compared, and its seed. What is not computed by a replay is
checked elsewhere: the time and the caller by the replay's rules, the places of contents by their
hashes, and title, debug and limits only by whoever saw the log before.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, Raw

from nodevms.archive import Change
from nodevms.audit.divergence import diverged
from nodevms.vm.entries import Call, Entry, Result
from nodevms.vm.execution import Executed


def compare(seq: int, what: str, entry: Entry, executed: Executed) -> tuple[Change, ...]:
    """Compare an entry with what its replay gave, the places of contents left out.

    Args:
        seq: The entry's position.
        what: The entry in words.
        entry: As the log has it.
        executed: What the replay gave.

    Returns:
        The entry's changes, with the places that the host named for their contents.

    Raises:
        DivergenceError: They differ; the first difference is named.
    """
    found, expected = entry.result, executed.result
    seed = entry.call.seed if isinstance(entry, Call) else entry.seed
    if seed != executed.seed:
        raise diverged(seq, what, "seed", _shown(executed.seed), _shown(seed))
    for name in ("res", "err", "gas"):
        wanted, given = _shown(getattr(expected, name)), _shown(getattr(found, name))
        if wanted != given:
            raise diverged(seq, what, _FIELD_NAMES[name], wanted, given)
    _compare_oracles(seq, what, expected, found)
    changes = _compare_changes(seq, what, expected, found, executed.changes)
    for name in ("filesVersion", "filesRoot"):
        wanted, given = _shown(getattr(expected, name)), _shown(getattr(found, name))
        if wanted != given:
            raise diverged(seq, what, name, wanted, given)
    return changes


_FIELD_NAMES: Final = {"res": "result", "err": "error", "gas": "gas"}


def _shown(value: object) -> bytes | None:
    if value is UNSET:
        return None
    return bytes(value) if isinstance(value, Raw) else str(value).encode()


def _compare_oracles(seq: int, what: str, expected: Result, found: Result) -> None:
    """The replay took its oracles from the entry; what is left to see is that it took all."""
    if found.oracles != expected.oracles:
        taken = len(expected.oracles) if isinstance(expected.oracles, tuple) else 0
        given = found.oracles if isinstance(found.oracles, tuple) else ()
        surplus = [_json(oracle) for oracle in given[taken:]]
        raise diverged(seq, what, "oracles", f"the {taken} that the call asks", surplus or "none")


def _compare_changes(
    seq: int, what: str, expected: Result, found: Result, changes: tuple[Change, ...]
) -> tuple[Change, ...]:
    wanted = expected.changes if isinstance(expected.changes, tuple) else ()
    given = found.changes if isinstance(found.changes, tuple) else ()
    if found.changes == ():
        raise diverged(seq, what, "changes", None, "an empty list")
    for want, have in zip(wanted, given, strict=False):
        if msgspec.structs.replace(want, block=have.block) != have:
            raise diverged(seq, what, f"changes of {want.path}", _json(want), _json(have))
        if isinstance(want.block, int) != isinstance(have.block, int):
            raise diverged(seq, what, f"block of {want.path}", _json(want), _json(have))
    if len(wanted) != len(given):
        more = (wanted if len(wanted) > len(given) else given)[min(len(wanted), len(given))]
        sides = (_json(more), None) if len(wanted) > len(given) else (None, _json(more))
        raise diverged(seq, what, f"changes of {more.path}", *sides)
    return tuple(_placed(change, have.block) for change, have in zip(changes, given, strict=True))


def _placed(change: Change, block: object) -> Change:
    if not isinstance(block, int):
        return change
    return Change(change.path, change.kind, change.size, change.sha256, block)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
