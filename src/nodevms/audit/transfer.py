"""Downloading one file whose size is known, from a server that may do anything.

The server can refuse, lie, stall and break off; it cannot make us write more than was asked for,
follow it to another host, unpack anything, or wait for ever. What came before a broken connection
is kept, and the rest is asked for.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from nodevms.audit.divergence import shorten
from nodevms.errors import CouldNotCheckError
from nodevms.feed import open_plain

CHUNK_BYTES: Final = 256 * 1024

# Never what a link leads to, for what is there is cut.
_WRITING: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Patience:
    """How much is put up with from a server.

    Attributes:
        stall_seconds: How long it may say nothing.
        attempts_max: How many times in a row a file is asked for without getting a byte.
        pause_seconds: The wait between two of them.
    """

    stall_seconds: float = 60.0
    attempts_max: int = 4
    pause_seconds: float = 0.5


class _BrokenOffError(Exception):
    """The connection ended early, or the server is not well: worth another attempt."""


def open_session(patience: Patience) -> aiohttp.ClientSession:
    """Return a session that keeps no cookies and unpacks nothing."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(
            total=None,
            connect=patience.stall_seconds,
            sock_connect=patience.stall_seconds,
            sock_read=patience.stall_seconds,
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
    )


class Transfer:
    """Gets documents and files from one server.

    Args:
        session: From :func:`open_session`.
        patience: With the server.
    """

    def __init__(self, session: aiohttp.ClientSession, patience: Patience) -> None:
        self._session = session
        self._patience = patience

    async def document(self, url: str, bytes_max: int) -> bytes:
        """Return a small document.

        Raises:
            CouldNotCheckError: It cannot be had, or is longer than ``bytes_max``.
        """
        text = bytearray()

        async def read() -> None:
            text.clear()
            async with self._session.get(url, allow_redirects=False) as response:
                _check_answer(response, url, {200})
                async for chunk in response.content.iter_chunked(bytes_max + 1):
                    text.extend(chunk)
                    if len(text) > bytes_max:
                        raise bad_answer(url, f"it has more than {bytes_max:,} bytes")

        await self._attempts(url, read, lambda: 0)
        return bytes(text)

    async def file(
        self, url: str, path: Path, have: int, size: int, progress: Callable[[int], None]
    ) -> None:
        """Fetch the rest of a file.

        Args:
            url: Where it is.
            path: Where it goes.
            have: Bytes of it that are at ``path`` already; what follows them is cut off.
            size: Its size: never more than that is written.
            progress: Called with the bytes that are there.

        Raises:
            CouldNotCheckError: It cannot be had whole, or not written.
        """
        try:
            with os.fdopen(open_plain(path, _WRITING), "a+b") as file:
                file.truncate(have)

                async def read() -> None:
                    headers = {"Range": f"bytes={file.seek(0, 2)}-{size - 1}"}
                    async with self._session.get(
                        url, headers=headers, allow_redirects=False
                    ) as response:
                        _check_answer(response, url, {200, 206})
                        skip = _bytes_to_skip(response, url, file.tell(), size)
                        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                            wanted = chunk[skip:]
                            skip -= min(skip, len(chunk))
                            file.write(wanted[: size - file.tell()])
                            progress(file.tell())
                            if file.tell() == size:
                                return
                    raise _BrokenOffError(f"it ended after {file.tell():,} of {size:,} bytes")

                if have < size:
                    await self._attempts(url, read, lambda: file.seek(0, 2))
        except OSError as error:
            raise CouldNotCheckError(
                f"{path} cannot be written: {error.strerror or error}",
                code="not-writable",
                hint="Choose another place for the copy with --dir.",
            ) from error

    async def _attempts(
        self, url: str, read: Callable[[], Awaitable[None]], have: Callable[[], int]
    ) -> None:
        """Read until it is done, as long as attempts bring something."""
        failures, before = 0, have()
        while True:
            try:
                return await read()
            except (aiohttp.ClientError, TimeoutError, _BrokenOffError) as error:
                why = str(error) or f"nothing came for {self._patience.stall_seconds:g} seconds"
            failures = 1 if have() > before else failures + 1
            before = have()
            if failures >= self._patience.attempts_max:
                raise bad_answer(url, why)
            await asyncio.sleep(self._patience.pause_seconds)


def bad_answer(url: str, why: str, hint: str | None = None) -> CouldNotCheckError:
    """Return the error for something that could not be fetched."""
    return CouldNotCheckError(
        f"{url} could not be fetched: {shorten(why)}", code="fetch-failed", hint=hint
    )


def _check_answer(response: aiohttp.ClientResponse, url: str, good: set[int]) -> None:
    status = response.status
    if status in _REDIRECTS:
        raise bad_answer(
            url,
            f"the server sends us elsewhere, to {response.headers.get('Location', 'nowhere')}",
            hint="If you trust that place, verify it by its own address.",
        )
    if status >= 500 or status == 429:
        raise _BrokenOffError(f"status {status}")
    if status not in good:
        raise bad_answer(url, f"status {status}")
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise bad_answer(url, f"it is sent as {coding}, which was not asked for")


def _bytes_to_skip(response: aiohttp.ClientResponse, url: str, have: int, size: int) -> int:
    """Return how many bytes of the answer are there already."""
    if response.status == 200:  # a plain web host that knows no ranges
        return have
    told = response.headers.get("Content-Range", "nothing")
    match = _CONTENT_RANGE.fullmatch(told)
    if match is None or int(match[1]) != have or int(match[2]) >= size:
        raise bad_answer(url, f"bytes {have}-{size - 1} were asked for; Content-Range says {told}")
    return 0
