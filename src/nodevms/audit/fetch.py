"""Fetch a backend's log and files over HTTP, to be verified on the reader's own machine.

Nothing that comes is believed: it is written to a directory as it is, and the verifier checks it
there. The heads are asked in an order in which an honest host's copy is whole: what was published,
then the log, then the contents. Of each feed the tree comes first, because with the head's
signature it says how much data there is. A fetch that was broken off goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from nodevms.audit.kept_copy import KeptCopy
from nodevms.audit.transfer import Patience, Transfer, bad_answer, open_session
from nodevms.errors import CouldNotCheckError
from nodevms.rpc import parse_backend_url
from nodevms.rpc.doors import HeadDocument
from nodevms.vm.directory import LOG_PREFIX, Layout

HEAD_BYTES_MAX: Final = 4096
FETCH_BYTES_MAX: Final = 64 * 1024**3
LENGTH_MAX: Final = 2**48
"""More blocks than any disk holds; below it no size that we compute leaves 64 bits."""

Progress = Callable[[int, int], None]


async def fetch(url: str, directory: Path | str, *, bytes_max: int = FETCH_BYTES_MAX) -> Path:
    """Copy a backend's log, files and contents, to be read or verified offline.

    Nothing of them is believed: whether they are true is the verifier's question.

    Args:
        url: Where the backend is served, such as ``localhost:5555``.
        directory: Where the copy goes; an earlier copy of the same backend is continued.
        bytes_max: The most that is fetched.

    Returns:
        The directory.

    Raises:
        CouldNotCheckError: The backend cannot be reached, or the transfer broke off.
        UsageError: The URL is malformed, or the directory holds something else.
    """
    place = Path(directory)
    fetcher = Fetcher(parse_backend_url(url).http, place, bytes_max=bytes_max)
    await fetcher.heads()
    for name in ("call-log", "metadata", "content"):
        await fetcher.fetch(name)
    return place


class Fetcher:
    """Copies one backend's feeds from a server.

    Args:
        base: The backend's HTTP address.
        directory: Where the copy goes; an earlier copy of the same backend is continued.
        bytes_max: The most that is fetched.
        allow_older: A shorter log than that of the copy is no lie.
        patience: With the server.
    """

    def __init__(
        self,
        base: str,
        directory: Path,
        *,
        bytes_max: int = FETCH_BYTES_MAX,
        allow_older: bool = False,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        self._base = base.rstrip("/")
        self._layout = Layout(directory)
        self._bytes_max = bytes_max
        self._allow_older = allow_older
        self._patience = patience
        self._copies: dict[str, KeptCopy] = {}

    async def heads(self) -> tuple[bytes, bytes]:
        """Ask for the three heads.

        Returns:
            The public keys of the call log and of the files archive, as the server says.

        Raises:
            CouldNotCheckError: The server cannot be reached, does not serve them, or has more
                than is fetched.
        """
        layout = self._layout
        places = {
            "metadata": (layout.metadata, ""),
            "call-log": (layout.root, LOG_PREFIX),
            "content": (layout.content, ""),
        }
        async with open_session(self._patience) as session:
            transfer = Transfer(session, self._patience)
            for name, (directory, prefix) in places.items():
                head = await self._head(transfer, name)
                self._copies[name] = KeptCopy(name, directory, prefix, head)
        self._refuse_too_much()
        return tuple(  # type: ignore[return-value]
            bytes.fromhex(self._copies[name].head.key) for name in ("call-log", "metadata")
        )

    async def fetch(self, name: str, progress: Progress | None = None) -> None:
        """Fetch one feed up to its head.

        Args:
            name: ``call-log``, ``metadata`` or ``content``.
            progress: Called with (bytes so far, bytes in all).

        Raises:
            CouldNotCheckError: The transfer broke off, or the disk is full.
            ProvedFalseError: The head's signature is wrong, or the copy had another history.
            UsageError: The directory holds another backend's copy.
        """
        copy = self._copies[name]
        copy.prepare(allow_older=self._allow_older)
        sizes = copy.parts()
        total, done = sum(sizes.values()), 0

        def so_far(here: int) -> None:
            if progress is not None:
                progress(done + here, total)

        async with open_session(self._patience) as session:
            transfer = Transfer(session, self._patience)
            for part, size in sizes.items():
                url = f"{self._base}/feeds/{name}/{part}"
                # What the key signed before is kept until what replaces it is whole.
                path = copy.path(part if part == "data" else f"{part}.new")
                have = copy.good_data_bytes() if part == "data" else 0
                await transfer.file(url, path, have, size, so_far)
                if part == "tree":
                    copy.take_tree(path)
                elif part == "signatures":
                    path.replace(copy.path(part))
                done += size
                so_far(0)

    def _refuse_too_much(self) -> None:
        size = sum(sum(copy.parts().values()) for copy in self._copies.values())
        if size > self._bytes_max:
            raise CouldNotCheckError(
                f"the server says that the backend has {size:,} bytes; "
                f"at most {self._bytes_max:,} are fetched",
                code="ceiling",
                hint="Fetch more with --max-download BYTES.",
            )
        place = self._layout.root
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if size > free + sum(copy.present_bytes() for copy in self._copies.values()):
            raise CouldNotCheckError(
                f"the server says that the backend has {size:,} bytes; {place} has {free:,} free",
                code="disk-full",
                hint="Choose a larger disk with --dir.",
            )

    async def _head(self, transfer: Transfer, name: str) -> HeadDocument:
        url = f"{self._base}/feeds/{name}/head"
        text = await transfer.document(url, HEAD_BYTES_MAX)
        try:
            head = msgspec.json.decode(text, type=HeadDocument)
            sizes = (len(bytes.fromhex(head.key)), len(bytes.fromhex(head.signature)))
            valid = sizes in ((32, 64), (32, 0)) and bool(head.signature) == bool(head.length)
        except (msgspec.DecodeError, ValueError):
            valid = False
        if not valid or not 0 <= head.length <= LENGTH_MAX or head.byte_length < 0:
            raise bad_answer(url, "it is not a feed's head", hint="Is this a nodevms server?")
        return head
