"""What an entry of the log did to the files, as the files' state takes it."""

from __future__ import annotations

from nodevms.archive import Change
from nodevms.errors import StorageError
from nodevms.vm.entries import ChangeItem, Entry


def changes_of(entry: Entry) -> tuple[Change, ...]:
    """Return what an entry says that it did to the files."""
    items = entry.result.changes
    return tuple(_change(item) for item in items) if isinstance(items, tuple) else ()


def _change(item: ChangeItem) -> Change:
    if item.kind == "file":
        if (
            not isinstance(item.size, int)
            or not isinstance(item.sha256, str)
            or not isinstance(item.block, int)
        ):
            raise StorageError(f"the entry's change of {item.path} is incomplete", fatal=True)
        return Change(item.path, "file", item.size, bytes.fromhex(item.sha256), item.block)
    if item.kind == "folder":
        return Change(item.path, "folder")
    if item.kind == "deleted":
        return Change(item.path, "deleted")
    raise StorageError(f"the entry's change of {item.path} has no known kind", fatal=True)
