"""What a backend's directory, or a fetched copy of one, says about it. Nothing is verified.

A log may have millions of entries. Only three are read: the last, the last start and the last that
brought a script. Starts are found in the bytes, since each entry is a line that begins with its
type, and no JSON text has a newline inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from nodevms.cli.info_facts import describe
from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError, UsageError
from nodevms.feed import Feed, dat_url
from nodevms.feed.files import RandomAccessFile
from nodevms.sandbox import NO_ORACLES, Engine, Export, Meter, Operation, Sandbox
from nodevms.sandbox import Limits as SandboxLimits
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.entries import Call, Entry, Init, Upgrade, decode
from nodevms.vm.reading import readable_files
from nodevms.vm.writer_lock import is_locked

CHUNK_BYTES: Final = 1024 * 1024
_STARTS: Final = (b'\n{"type":"restart"', b'\n{"type":"upgrade"')
_NO_FILES: Final = b'{"error":{"name":"NotFoundError","message":"There are no files here"}}'


def of_directory(directory: Path) -> dict[str, object]:
    """Return the facts about a backend's directory, which may be in use.

    Raises:
        UsageError: It holds no backend.
        StorageError: It is damaged.
        CouldNotCheckError: Its log is empty, or an entry is none of this format.
    """
    if not (directory / f"{LOG_PREFIX}key").is_file():
        raise UsageError(
            f"{directory} holds no backend",
            hint="Name the directory that `nodevms exec` printed, or a server's address.",
        )
    files = readable_files(Layout(directory))
    with Feed.open(directory, LOG_PREFIX, writable=False, files=files) as log:
        if log.synced_length == 0:
            raise CouldNotCheckError(f"{directory}: the call log is empty")
        with closing(files.open(directory / f"{LOG_PREFIX}data")) as data:
            epoch = _last_of(log, data, _STARTS) or 0
            upgraded = _last_of(log, data, _STARTS[1:]) or 0
        first, last = _entry(log, 0), _entry(log, log.synced_length - 1)
        start, script = _entry(log, epoch), _entry(log, upgraded)
        entries, key = log.synced_length, log.key
    if (
        not isinstance(first, Init)
        or isinstance(start, Call)
        or not isinstance(script, Init | Upgrade)
    ):
        raise CouldNotCheckError(f"{directory}: the call log does not begin as one does")
    facts = describe(first, start, script.code, last, entries=entries, epoch=epoch)
    exports = _exports(script.code)
    facts |= {
        "callLog": dat_url(key),
        "serving": is_locked(Layout(directory)),
        "methods": [export.name for export in exports],
        "readonly": [export.name for export in exports if export.readonly],
        "parameters": {export.name: list(export.parameters) for export in exports},
    }
    return facts


def _entry(log: Feed, seq: int) -> Entry:
    try:
        return decode(log.get(seq))
    except ProvedFalseError as error:
        raise CouldNotCheckError(f"entry {seq}: {error}") from error


def _last_of(log: Feed, data: RandomAccessFile, beginnings: Sequence[bytes]) -> int | None:
    """Return the seq of the last entry with one of these beginnings; None if there is none."""
    for offset in _offsets_backwards(data, log.synced_head().byte_length, beginnings):
        seq = _seq_at(log, offset)
        if seq is not None:
            return seq
    return None


def _offsets_backwards(
    data: RandomAccessFile, end: int, beginnings: Sequence[bytes]
) -> Iterator[int]:
    """Yield where lines with one of these beginnings are in a file, the last one first."""
    overlap = max(map(len, beginnings)) - 1
    while end > 0:
        start = max(0, end - CHUNK_BYTES)
        chunk = data.read_at(start, end - start + overlap)
        limit = end - start  # a match that begins later was in the chunk before
        while limit > 0:
            found = max(chunk.rfind(text, 0, limit - 1 + len(text)) for text in beginnings)
            if found < 0:
                break
            yield start + found + 1
            limit = found
        end = start


def _seq_at(log: Feed, offset: int) -> int | None:
    """Return the entry that begins at a byte of the log; None if none does."""
    low, high = 0, log.synced_length - 1
    while low < high:
        middle = (low + high + 1) // 2
        if log.byte_offset(middle) <= offset:
            low = middle
        else:
            high = middle - 1
    return low if log.byte_offset(low) == offset else None


class _NobodyHome:
    """A host without files for a script that is loaded to see what it exports."""

    def call(self, operation: int, _request: bytes, _meter: Meter, /) -> bytes:
        if operation == Operation.SEED:
            return b"0" * 16
        if operation == Operation.ORACLE:
            return NO_ORACLES
        return _NO_FILES if operation == Operation.FILES else b""


def _exports(code: str) -> tuple[Export, ...]:
    """Load a script in the sandbox and return what it exports; nothing if it does not load."""
    sandbox = Sandbox(Engine(), SandboxLimits())
    try:
        on_engine_thread(lambda: sandbox.start(code, None, time_ms=0, host=_NobodyHome()))
    except NodeVMSError:
        return ()
    else:
        return sandbox.exports
    finally:
        sandbox.close()
