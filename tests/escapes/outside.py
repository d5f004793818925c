"""What a process does outside of the folders that it may touch, as Python itself reports it."""

from __future__ import annotations

import mimetypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nodevms.sandbox.engine import default_cache_folder

# Events that no call and no audit has a use for; see the table of audit events in Python's manual.
_NEVER = (
    *("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill", "pty."),
    *("os.putenv", "os.unsetenv", "os.chdir", "os.startfile", "socket.connect", "socket.bind"),
    *(
        "socket.sendto",
        "socket.getaddrinfo",
        "socket.gethostby",
        "urllib.",
        "http.",
        "ctypes.dlopen",
    ),
    *("os.link", "os.symlink", "os.chmod", "os.chown", "tempfile."),
)
_WITH_PATHS = {
    *("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.utime"),
    *("os.listdir", "os.scandir", "shutil.rmtree", "sqlite3.connect"),
}
_OWN = (sys.prefix, sys.base_prefix, Path(__file__).parents[2] / "src", default_cache_folder())
# What the program itself reads: its code, what processor it runs on, what aiohttp asks at first.
_READ_ONLY = (
    *(os.path.realpath(folder) + os.sep for folder in _OWN),
    *(path + os.sep for path in ("/proc/cpuinfo", *mimetypes.knownfiles)),
)

_watches: list[tuple[tuple[str, ...], list[str]]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    for allowed, seen in _watches:
        if event == "ctypes.dlopen" and arguments[0] is None:
            continue  # this process itself
        if event.startswith(_NEVER) or (
            event in _WITH_PATHS and not all(_is_inside(event, arguments, allowed))
        ):
            seen.append(f"{event}{arguments!r}")


def _is_inside(
    event: str, arguments: tuple[object, ...], allowed: tuple[str, ...]
) -> Iterator[bool]:
    reads = event in {"os.listdir", "os.scandir"} or (
        event == "open" and isinstance(flags := arguments[2], int) and not flags & os.O_ACCMODE
    )
    for path in arguments[:2]:
        if isinstance(path, str | bytes | os.PathLike):
            text = os.fsdecode(path)
            if text not in {"", ".", ".."} and os.sep not in text:
                continue  # in an open folder; Python does not say which, see nothing_but()
            text = os.path.realpath(text)
            in_memory = event == "sqlite3.connect" and not path
            may = allowed + _READ_ONLY if reads else allowed
            yield in_memory or (text + os.sep).startswith(may)
        if event in {"open", "sqlite3.connect"}:
            return  # what stands after the path is no path


sys.addaudithook(_hear)


@contextmanager
def nothing_but(*folders: Path) -> Iterator[None]:
    """Fail if the block, on whatever thread, touches anything outside these folders.

    The program's own files may be read. Starting programs, connecting and changing the process
    are never allowed. Names without a folder are believed to be in one that was opened before:
    run the block in an empty current folder, which is empty after it.
    """
    assert os.listdir() == []
    allowed = tuple(os.path.realpath(folder) + os.sep for folder in folders)
    watch: tuple[tuple[str, ...], list[str]] = (allowed, [])
    before = (os.getcwd(), dict(os.environ))
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)
    assert os.listdir() == []
    after = (os.getcwd(), dict(os.environ))
    if watch[1] or after != before:
        raise AssertionError(f"outside was touched: {watch[1] or after}")
