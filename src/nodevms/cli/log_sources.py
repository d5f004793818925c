"""Where ``nodevms log`` reads a call log: a directory, or a server's HTTP paths.

A source shows signed blocks only; whether they are true is the question of ``nodevms verify``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Protocol

from nodevms.errors import CouldNotCheckError, UsageError
from nodevms.vm.call_log import CallLog

if TYPE_CHECKING:
    from nodevms.audit import Fetcher

LOOK_AGAIN_S: Final = 0.25
ASK_AGAIN_S: Final = 1.0


class LogSource(Protocol):
    """A call log that may grow while it is read."""

    async def length(self) -> int:
        """Return how many signed blocks there are to be read."""

    async def blocks(self, numbers: range) -> list[bytes]:
        """Return blocks below a length that :meth:`length` gave.

        Raises:
            NodeVMSError: They cannot be had.
        """

    async def grown(self, length: int) -> None:
        """Wait until there may be more blocks than ``length``."""


class DirectoryLog:
    """The log of a backend's directory, in use or not, or of a copy."""

    def __init__(self, directory: Path) -> None:
        """Open it.

        Raises:
            StorageError: There is none.
        """
        self._directory = directory
        self._signatures = directory / "call-log.signatures"
        self._log = CallLog.open(directory)
        self._looked = self._state()

    async def length(self) -> int:
        """See `LogSource`."""
        return self._log.length

    async def blocks(self, numbers: range) -> list[bytes]:
        """See `LogSource`."""
        return [self._log.block(seq) for seq in numbers]

    async def grown(self, length: int) -> None:
        """See `LogSource`."""
        while self._log.length <= length:
            await asyncio.sleep(LOOK_AGAIN_S)
            state = self._state()
            if state != self._looked:
                self._log.close()
                self._log, self._looked = CallLog.open(self._directory), state

    def close(self) -> None:
        """Close the files."""
        self._log.close()

    def _state(self) -> tuple[int, int]:
        try:
            found = self._signatures.stat()
        except OSError as error:
            raise CouldNotCheckError(f"{self._signatures}: {error.strerror}") from error
        return found.st_size, found.st_mtime_ns


@asynccontextmanager
async def directory_log(directory: Path) -> AsyncIterator[DirectoryLog]:
    """Open the log of a directory.

    Raises:
        UsageError: It holds none.
    """
    if not (directory / "call-log.key").is_file():
        raise UsageError(
            f"{directory} holds no call log",
            hint="Name the directory that `nodevms exec` printed, a copy, or an address.",
        )
    log = DirectoryLog(directory)
    try:
        yield log
    finally:
        log.close()


class ServedLog:
    """The log that a server offers over HTTP, copied into a folder."""

    def __init__(self, fetcher: Fetcher, folder: Path) -> None:
        self._fetcher = fetcher
        self._folder = folder
        self._log: CallLog | None = None

    async def look(self) -> None:
        """Bring the copy up to what the server has now.

        Raises:
            CouldNotCheckError: It cannot be fetched.
            ProvedFalseError: The server shows another history than before.
        """
        await self._fetcher.heads()
        await self._fetcher.fetch("call-log")
        self.close()
        self._log = CallLog.open(self._folder)

    async def length(self) -> int:
        """See `LogSource`."""
        return self._log.length if self._log else 0

    async def blocks(self, numbers: range) -> list[bytes]:
        """See `LogSource`."""
        return [self._log.block(seq) for seq in numbers] if self._log else []

    async def grown(self, length: int) -> None:
        """See `LogSource`."""
        while await self.length() <= length:
            await asyncio.sleep(ASK_AGAIN_S)
            await self.look()

    def close(self) -> None:
        """Close the copy."""
        if self._log is not None:
            self._log.close()


@asynccontextmanager
async def served_log(address: str) -> AsyncIterator[ServedLog]:
    """Copy the log of the backend at an address into a temporary folder.

    Raises:
        CouldNotCheckError: It cannot be reached.
        UsageError: It is no address.
    """
    from nodevms.audit import Fetcher
    from nodevms.rpc import parse_backend_url

    with TemporaryDirectory() as folder:
        log = ServedLog(Fetcher(parse_backend_url(address).http, Path(folder)), Path(folder))
        try:
            await log.look()
            yield log
        finally:
            log.close()
