"""Fetch a backend's log and files over HTTP, to be verified on the reader's own machine.

Nothing that comes is believed: it is written to a directory as it is, and the verifier checks it
there. The heads are asked in an order in which an honest host's copy is whole: what was published,
then the log, then the contents. A fetch that was broken off goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from nodevms.errors import CouldNotCheckError, ProvedFalseError, UsageError
from nodevms.rpc import parse_backend_url
from nodevms.rpc.doors import HEADER_BYTES, NODE_BYTES, SIGNATURE_BYTES, HeadDocument
from nodevms.vm.directory import LOG_PREFIX, Layout

CHUNK_BYTES: Final = 256 * 1024
HEAD_BYTES_MAX: Final = 4096
FETCH_BYTES_MAX: Final = 64 * 1024**3
TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Copy:
    """One feed on its way into a directory."""

    name: str
    directory: Path
    prefix: str
    head: HeadDocument

    def parts(self) -> dict[str, int]:
        """Return the size of each file at this head."""
        length = self.head.length
        return {
            "data": self.head.byte_length,
            "tree": HEADER_BYTES + NODE_BYTES * max(2 * length - 1, 0),
            "signatures": HEADER_BYTES + SIGNATURE_BYTES * length,
        }

    def path(self, part: str) -> Path:
        return self.directory / f"{self.prefix}{part}"


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
    """

    def __init__(self, base: str, directory: Path, *, bytes_max: int = FETCH_BYTES_MAX) -> None:
        self._base = base.rstrip("/")
        self._layout = Layout(directory)
        self._bytes_max = bytes_max
        self._copies: dict[str, _Copy] = {}

    async def heads(self) -> tuple[bytes, bytes]:
        """Ask for the three heads.

        Returns:
            The public keys of the call log and of the files archive, as the server says.

        Raises:
            CouldNotCheckError: The server cannot be reached or does not serve them.
        """
        layout = self._layout
        places = {
            "metadata": (layout.metadata, ""),
            "call-log": (layout.root, LOG_PREFIX),
            "content": (layout.content, ""),
        }
        async with self._session() as session:
            for name, (directory, prefix) in places.items():
                head = await self._head(session, name)
                self._copies[name] = _Copy(name, directory, prefix, head)
        size = sum(sum(copy.parts().values()) for copy in self._copies.values())
        if size > self._bytes_max:
            raise CouldNotCheckError(
                f"the backend has {size:,} bytes; at most {self._bytes_max:,} are fetched",
                code="ceiling",
            )
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
            UsageError: The directory holds another backend's copy.
        """
        copy = self._copies[name]
        self._prepare(copy)
        total, done = sum(copy.parts().values()), 0
        async with self._session() as session:
            for part, size in copy.parts().items():
                path = copy.path(part)
                # A tree's inner nodes are filled in later, so it is fetched anew.
                have = 0 if part == "tree" else _size(path)
                if have > size:
                    _truncate(path, size)
                    have = size
                done += have
                done = await self._fetch_part(
                    session, copy, part, have, size, done, total, progress
                )

    def _prepare(self, copy: _Copy) -> None:
        try:
            copy.directory.mkdir(parents=True, exist_ok=True)
            key_path = copy.path("key")
            key = bytes.fromhex(copy.head.key)
            if key_path.exists() and key_path.read_bytes() != key:
                raise UsageError(
                    f"{copy.directory} holds a copy of another backend",
                    code="directory-foreign",
                    hint="Choose another --dir.",
                )
            if copy.path("secret_key").exists():
                raise UsageError(
                    f"{copy.directory} is a backend's own directory, not a copy",
                    code="directory-foreign",
                    hint="Verify it as it is: nodevms verify DIR.",
                )
            key_path.write_bytes(key)
        except OSError as error:
            raise CouldNotCheckError(f"{copy.directory}: {error.strerror}") from error

    async def _fetch_part(
        self,
        session: aiohttp.ClientSession,
        copy: _Copy,
        part: str,
        have: int,
        size: int,
        done: int,
        total: int,
        progress: Progress | None,
    ) -> int:
        path = copy.path(part)
        if have == size:
            path.touch()
            return done
        url = f"{self._base}/feeds/{copy.name}/{part}"
        headers = {"Range": f"bytes={have}-{size - 1}"}
        try:
            with path.open("r+b" if path.exists() else "wb") as file:
                file.seek(have)
                file.truncate()
                async with session.get(url, headers=headers) as response:
                    if response.status != 206:
                        raise _bad_answer(url, f"status {response.status}")
                    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                        have += len(chunk)
                        if have > size:
                            raise _bad_answer(url, "more bytes than were asked for")
                        file.write(chunk)
                        done += len(chunk)
                        if progress is not None:
                            progress(done, total)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _bad_answer(url, str(error) or type(error).__name__) from error
        except OSError as error:
            raise CouldNotCheckError(f"{path}: {error.strerror}") from error
        if have != size:
            raise _bad_answer(url, f"{have:,} of {size:,} bytes")
        return done

    async def _head(self, session: aiohttp.ClientSession, name: str) -> HeadDocument:
        url = f"{self._base}/feeds/{name}/head"
        try:
            async with session.get(url) as response:
                if response.status != 200:
                    raise _bad_answer(url, f"status {response.status}")
                text = await response.content.read(HEAD_BYTES_MAX)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _bad_answer(url, str(error) or type(error).__name__) from error
        try:
            head = msgspec.json.decode(text, type=HeadDocument)
            valid = len(bytes.fromhex(head.key)) == 32
        except (msgspec.DecodeError, ValueError):
            valid = False
        if not valid or head.length < 0 or head.byte_length < 0:
            raise ProvedFalseError(f"{url} does not answer with a head", code="malformed-head")
        return head

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False)


def _bad_answer(url: str, why: str) -> CouldNotCheckError:
    return CouldNotCheckError(f"{url} could not be fetched: {why}", code="fetch-failed")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _truncate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
