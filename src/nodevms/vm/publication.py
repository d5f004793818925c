"""The background publisher: brings the public drive up to date behind the calls.

A call is answered without waiting for this. What was not yet published when the process ends is
published at shutdown, and what a crash left out, at the next start: the log has it all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import Final

from nodevms.archive import Change, Published, Record
from nodevms.errors import NodeVMSError
from nodevms.vm.store import Store

INTERVAL_S: Final = 1.0
GATHERED_MAX: Final = 40_000
"""Above so many changed paths a publication does not wait: with one more call's it still fits."""

_LOG = logging.getLogger("nodevms.publication")


class NetChanges:
    """The net change of each path since some length of the log."""

    def __init__(self) -> None:
        self._by_path: dict[str, Published] = {}

    def add(self, changes: Iterable[Change], time_ms: int) -> None:
        """Take over one entry's changes; the newest of each path counts."""
        for change in changes:
            self.put(change.path, change.record(time_ms))

    def put(self, path: str, record: Record | None) -> None:
        """Take over what a path has now."""
        kind = "deleted" if record is None else record.kind
        self._by_path[path] = Published(path, kind, record)

    def __len__(self) -> int:
        return len(self._by_path)

    def take(self) -> list[Published]:
        """Return what has gathered and begin anew."""
        gathered, self._by_path = list(self._by_path.values()), {}
        return gathered


class Publication:
    """Publishes on a thread of its own, at most once a second."""

    def __init__(self, store: Store) -> None:
        """Begin with what is missing in the drive.

        Raises:
            StorageError: The drive or the log is damaged.
        """
        self._publisher = store.publisher
        self._net = NetChanges()
        self._length = store.log.length
        self._changed = threading.Condition()
        self._closing = False
        self._failed = False
        self._gather_missing(store)
        self._thread = threading.Thread(target=self._run, name="nodevms-publisher")
        self._thread.start()

    def note(self, entries: Sequence[tuple[tuple[Change, ...], int]], length: int) -> None:
        """Take over what a synced batch did.

        Args:
            entries: The changes and the time of each entry, in order.
            length: The log's length after them.
        """
        with self._changed:
            first = length - len(entries)
            for at, (changes, time_ms) in enumerate(entries, first + 1):
                self._net.add(changes, time_ms)
                self._length = at
                if len(self._net) > GATHERED_MAX:
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: not self._net or self._failed)
            self._length = length
            if self._failed:
                self._net.take()  # the next start publishes it
            elif self._net:
                self._changed.notify_all()

    def _gather_missing(self, store: Store) -> None:
        """Take what changed since the last publication; reads no entry that changed nothing."""
        marker, state = self._publisher.last_marker(), store.state
        version = store.entry(marker - 1).result.filesVersion if marker else 0
        length = marker
        while items := state.history(start=version + 1):
            for item in items:
                if item.seq >= length and len(self._net) > GATHERED_MAX:
                    self._publisher.publish(self._net.take(), length)
                length, version = item.seq + 1, item.version
                self._net.put(item.path, item.record)

    def close(self) -> None:
        """Publish the rest and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._net and not self._closing:
                    self._changed.wait()
                gathered, length = self._net.take(), self._length
                closing = self._closing
                self._changed.notify_all()
            if gathered and not self._publish(gathered, length):
                with self._changed:
                    self._failed = True
                    self._changed.notify_all()
                return
            with self._changed:
                if closing and not self._net:
                    return
                self._changed.wait_for(
                    lambda: self._closing or len(self._net) > GATHERED_MAX, INTERVAL_S
                )

    def _publish(self, gathered: list[Published], length: int) -> bool:
        try:
            self._publisher.publish(gathered, length)
        except NodeVMSError as error:
            _LOG.error("publishing stopped until the next start: %s", error)
            return False
        except Exception:  # calls wait for this thread, and must not do so for ever
            _LOG.exception("publishing stopped until the next start")
            return False
        return True
