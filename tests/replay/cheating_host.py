"""A host that owns its keys and lies: it changes what it recorded and signs everything again."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from without_sync import WithoutSync

from nodevms.feed import Feed, KeyPair
from nodevms.sandbox import Engine
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.exports import CallError
from nodevms.vm.limits import Limits
from nodevms.vm.vm import VM

EXAMPLES = Path(__file__).parents[2] / "examples"
PARTS = ("data", "tree", "signatures", "bitfield", "key", "secret_key")
START_MS = 1_600_000_000_000

Blocks = list[bytes]
Call = tuple[Any, ...]


class Honest:
    """An honest run: a script, its directory, and what its calls answered.

    A call is ``(method, *arguments)``, or ``(method, *arguments, {"caller": name})`` of somebody.
    """

    def __init__(self, engine: Engine, directory: Path, *, debug: bool = False) -> None:
        self.directory = directory
        self.answers: list[Any] = []
        self._engine = engine
        self._debug = debug
        self._runs = itertools.count()

    def run(
        self,
        code: str,
        calls: Iterable[Call] = (),
        *,
        upgrade: bool = False,
        limits: Limits | None = None,
        start_ms: int | None = None,
    ) -> Honest:
        """Start the backend, make the calls one after the other, and stop it."""
        hours = next(self._runs)
        asyncio.run(self._run(code, calls, upgrade, limits, start_ms or START_MS + hours * 3600000))
        return self

    def copy(self, directory: Path) -> Path:
        """Copy the directory as it is now."""
        return copied(self.directory, directory)

    async def _run(
        self,
        code: str,
        calls: Iterable[Call],
        upgrade: bool,
        limits: Limits | None,
        start_ms: int,
    ) -> None:
        ticks = itertools.count(start_ms, 1000)
        vm = VM(code, engine=self._engine, clock=lambda: next(ticks), seeds=_seeds(start_ms))
        await vm.deploy(dir=self.directory, debug=self._debug, upgrade=upgrade, limits=limits)
        try:
            for method, *arguments in calls:
                keywords = {}
                if arguments and isinstance(arguments[-1], dict) and "caller" in arguments[-1]:
                    keywords = arguments.pop()
                try:
                    self.answers.append(await vm.exports[method](*arguments, **keywords))
                except CallError as error:
                    self.answers.append(error)
        finally:
            await vm.close()


def copied(directory: Path, target: Path) -> Path:
    """Copy a directory and return the copy."""
    return Path(shutil.copytree(directory, target))


def example(name: str) -> str:
    """Return the text of one of the example scripts."""
    return (EXAMPLES / name).read_text()


def blocks_of(directory: Path, prefix: str = "") -> Blocks:
    """Read all blocks of a feed."""
    with Feed.open(directory, prefix, writable=False) as feed:
        return list(feed.get_many(0, feed.length))


def log_of(directory: Path) -> list[dict[str, Any]]:
    """Read a backend's log as plain JSON."""
    return [json.loads(block) for block in blocks_of(directory, LOG_PREFIX)]


def spelled(entry: dict[str, Any]) -> bytes:
    """Write an entry in the spelling of the format."""
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def cheat_log(honest: Path, target: Path, change: Callable[[Blocks], Blocks]) -> Path:
    """Copy a backend; replace the log's blocks, signed with the host's own key."""
    shutil.copytree(honest, target)
    blocks = blocks_of(target, LOG_PREFIX)
    _sign_again(target, LOG_PREFIX, _key_pair(target, LOG_PREFIX), change(blocks))
    return target


def cheat_entry(
    honest: Path, target: Path, seq: int, change: Callable[[dict[str, Any]], object]
) -> Path:
    """Copy a backend; change one entry in place, and sign the log again."""

    def changed(blocks: Blocks) -> Blocks:
        entry = json.loads(blocks[seq])
        change(entry)
        block = spelled(entry)
        assert block != blocks[seq]
        return [*blocks[:seq], block, *blocks[seq + 1 :]]

    return cheat_log(honest, target, changed)


def cheat_contents(directory: Path, change: Callable[[Blocks], Blocks]) -> None:
    """Replace the blocks of the files' contents in place, signed with the host's own key."""
    layout = Layout(directory)
    pair = _key_pair(layout.metadata, "").content_key_pair()
    blocks = change(blocks_of(layout.content))
    _sign_again(layout.content, "", pair, blocks, store_secret=False)


def cheat_drive(directory: Path, change: Callable[[Blocks], Blocks]) -> None:
    """Replace the published drive's nodes in place, signed with the host's own key."""
    layout = Layout(directory)
    blocks = change(blocks_of(layout.metadata))
    _sign_again(layout.metadata, "", _key_pair(layout.metadata, ""), blocks)


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def _key_pair(directory: Path, prefix: str) -> KeyPair:
    secret = (directory / f"{prefix}secret_key").read_bytes()
    return KeyPair.from_secret(secret, (directory / f"{prefix}key").read_bytes())


def _sign_again(
    directory: Path, prefix: str, pair: KeyPair, blocks: Blocks, *, store_secret: bool = True
) -> None:
    for part in PARTS:
        (directory / f"{prefix}{part}").unlink(missing_ok=True)
    with Feed.create(
        directory, prefix, pair, store_secret=store_secret, files=WithoutSync()
    ) as feed:
        feed.append(blocks)
        feed.sync()


def _seeds(start_ms: int) -> Callable[[], str]:
    seeds = itertools.count(start_ms)
    return lambda: f"{next(seeds):016x}"
