"""Whether a call's changes can follow from the state before them.

The overlay only ever makes changes that can. The check is for those that come from a log: a state
that took any list would end up with files below files and names in folders that are not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nodevms.archive.errors import InvalidChangesError
from nodevms.archive.paths import ROOT, is_canonical, join_path, split_path
from nodevms.archive.record import NUMBER_MAX, ZERO_HASH, Change, Record


class StateView(Protocol):
    """What can be asked of a state, and of a call's overlay over one."""

    def get(self, path: str) -> Record | None:
        """Return what a path has; None for nothing, and for the root."""

    def children(self, folder: str) -> Iterator[tuple[str, Record]]:
        """Yield (name, record) of what is in a folder, in the order of the names' UTF-8 bytes."""


def check_changes(before: StateView, changes: Sequence[Change]) -> None:
    """Check one call's changes against the state before the call.

    Guarantees that paths are canonical, strictly ascending and never the root; that numbers and
    hashes are in range; that a deleted path was there; that whatever is there afterwards has a
    folder as its parent; and that nothing is left below a path that is no folder any more.

    Raises:
        InvalidChangesError: They do not follow.
    """
    after = {change.path: change for change in changes}
    previous = ROOT
    for change in changes:
        _check_item(change)
        if change.path <= previous:
            raise InvalidChangesError(f"changes are out of order at {change.path!r}")
        previous = change.path
        old = before.get(change.path)
        if change.kind == "deleted":
            if old is None:
                raise InvalidChangesError(f"{change.path!r} is deleted and was not there")
        else:
            _check_parent(before, after, change.path)
        if old is not None and old.kind == "folder" and change.kind != "folder":
            _check_emptied(before, after, change.path)


def _check_item(change: Change) -> None:
    path, kind = change.path, change.kind
    if path == ROOT or not is_canonical(path):
        raise InvalidChangesError(f"no path for a change: {path[:100]!r}")
    if kind == "file":
        sound = (
            0 <= change.size <= NUMBER_MAX
            and len(change.sha256) == 32
            and 0 <= change.block <= NUMBER_MAX
        )
    elif kind in {"folder", "deleted"}:
        sound = change.size == 0 and change.sha256 == ZERO_HASH and change.block == 0
    else:
        sound = False
    if not sound:
        raise InvalidChangesError(f"the change of {path!r} has an impossible value")


def _check_parent(before: StateView, after: dict[str, Change], path: str) -> None:
    parent, _ = split_path(path)
    if parent == ROOT:
        return
    changed = after.get(parent)
    record = before.get(parent) if changed is None else None
    kind = changed.kind if changed is not None else record.kind if record is not None else None
    if kind != "folder":
        raise InvalidChangesError(f"{path!r} has no folder to be in")


def _check_emptied(before: StateView, after: dict[str, Change], folder: str) -> None:
    for name, _ in before.children(folder):
        path = join_path(folder, name)
        if path not in after:
            raise InvalidChangesError(f"{path!r} is left behind without its folder")
