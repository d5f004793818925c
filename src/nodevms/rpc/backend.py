"""What the server needs from a backend: one small protocol, so that each can be tested alone.

The server trusts a backend to run calls in the order in which it gets them, to answer only after
the entry is synced, and to give JSON texts that were made by the guest; it copies them into its
answers without reading the numbers and strings in them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nodevms.feed import Head
from nodevms.vm.requests import Answer, Method

if TYPE_CHECKING:
    from nodevms.vm.dat_archive import DatArchive

__all__ = ["Answer", "Backend", "Method", "ServedFeed", "WithFeeds", "WithFiles"]


class ServedFeed(Protocol):
    """A feed whose synced part may be read by anybody."""

    @property
    def key(self) -> bytes:
        """The public key."""

    def synced_head(self) -> Head:
        """Return the signed head of the last sync."""


@runtime_checkable
class WithFeeds(Protocol):
    """A backend whose feeds can be fetched, so that it can be verified."""

    @property
    def feeds(self) -> Mapping[str, tuple[ServedFeed, Path, str]]:
        """Each feed by its name, with its directory and what its files begin with."""


@runtime_checkable
class WithFiles(Protocol):
    """A backend whose files can be read."""

    @property
    def files_archive(self) -> DatArchive:
        """The files as the synced entries of its log leave them."""


class Backend(Protocol):
    """A deployed script that can be called."""

    @property
    def methods(self) -> Sequence[Method]:
        """The exported functions, without ``init`` and ``upgrade``; the same until it closes."""

    @property
    def call_log_url(self) -> str:
        """``dat://`` and 64 hexadecimal digits."""

    @property
    def files_archive_url(self) -> str:
        """``dat://`` and 64 hexadecimal digits."""

    @property
    def code_hash(self) -> str:
        """Names the script's source."""

    @property
    def title(self) -> str:
        """The backend's name for people."""

    @property
    def debug(self) -> bool:
        """True if callers are whoever they say they are."""

    @property
    def epoch(self) -> int:
        """Seq of the current start entry."""

    def call(self, method: str, arguments: bytes, caller: str | None) -> Awaitable[Answer]:
        """Queue one call; its place in the queue is taken before this returns.

        An ``async def`` fits too (its place is then taken when its task first runs, which keeps
        the order as well). Returning an ``asyncio.Future`` costs less: no task is made for it.
        The server never cancels what it was given.

        Args:
            method: One of ``methods``.
            arguments: JSON text of an array, without insignificant whitespace.
            caller: Who calls, or None for nobody.

        Raises:
            NodeVMSError: Here or from the awaitable, with code ``queue-full``, ``closed`` or
                ``outcome-unknown``.
        """
