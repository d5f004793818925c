"""A backend as asyncio programs see it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nodevms.errors import NodeVMSError, UsageError
from nodevms.feed import Feed
from nodevms.sandbox import Engine
from nodevms.vm.admission import check_arguments
from nodevms.vm.call_log import CallLog
from nodevms.vm.callers import check_caller
from nodevms.vm.console import Console
from nodevms.vm.dat_archive import DatArchive
from nodevms.vm.deploy import Deployment
from nodevms.vm.directory import LOG_PREFIX
from nodevms.vm.errors import BackendClosedError, UnknownMethodError
from nodevms.vm.exports import Exports
from nodevms.vm.feeds_watcher import FeedsWatcher, NobodyWatches
from nodevms.vm.lifetime import Lifetime
from nodevms.vm.limits import Limits
from nodevms.vm.live_oracles import World
from nodevms.vm.reporter import Observer
from nodevms.vm.requests import Answer, Method, Request
from nodevms.vm.running import QUEUE_CEILING, QUEUE_MAX, Running
from nodevms.vm.script import Script
from nodevms.vm.surroundings import Surroundings
from nodevms.vm.system import clock_ms, fresh_seed


class VM:
    """Runs one backend script: one call at a time, each logged before it is answered.

    Example:
        vm = VM("exports.hello = name => `Hello ${name}`")
        await vm.deploy(dir="./hello", title="Greetings")
        print(await vm.exports.hello("Bob"))
        await vm.close()
    """

    def __init__(
        self,
        code: str | Script,
        *,
        engine: Engine | None = None,
        clock: Callable[[], int] = clock_ms,
        seeds: Callable[[], str] = fresh_seed,
        world: World | None = None,
        script_log: logging.Logger | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Take the script; nothing runs before :meth:`deploy`.

        Args:
            code: The script's text, or a script that was read from a file.
            engine: The compiled guest; by default one is loaded.
            clock: Milliseconds since 1970.
            seeds: 16 fresh hex digits for each call that asks for randomness.
            world: What oracles find outside; by default this computer, with that clock.
            script_log: Where ``console`` writes; by default the logger ``nodevms.script``.
            observer: Is told of every call as it ends; the log then says nothing of failed ones.
        """
        self.script: Final = code if isinstance(code, Script) else Script("script.js", code)
        self._engine = engine
        self._clock = clock
        self._seeds = seeds
        self._world = world or World(clock=clock)
        self._console = Console(script_log or logging.getLogger("nodevms.script"), time.monotonic)
        self._observer = observer
        self._lifetime: Lifetime | None = None
        self._beginning: asyncio.Future[None] | None = None
        self.exports: Final = Exports(lambda: self.methods, self.call)

    async def deploy(
        self,
        *,
        dir: Path | str,
        title: str | None = None,
        debug: bool = False,
        upgrade: bool = False,
        limits: Limits | None = None,
        queue_max: int = QUEUE_MAX,
        progress: Callable[[int, int], None] | None = None,
        watcher: FeedsWatcher | None = None,
    ) -> None:
        """Begin the backend in a new directory, or go on with the one in an old directory.

        Args:
            dir: The backend's directory.
            title: Its title, fixed when it is begun.
            debug: Let callers name themselves; fixed when it is begun.
            upgrade: Let this script replace another one; that is recorded.
            limits: What a call may use.
            queue_max: How many calls may wait; the log does not record it.
            progress: Called with (entries done, entries in all) while an index is rebuilt.
            watcher: Is told when the feeds can be read, and before they are closed.

        Raises:
            ScriptError: The script does not load or exports nothing; nothing was recorded.
            DirectoryError: The directory is not this backend's.
            StorageError: The directory is locked, damaged or not writable.
            UsageError: A limit is out of range.
        """
        if self._lifetime is not None:
            raise UsageError("this VM is deployed already", hint="One VM is one backend's life.")
        if not 1 <= queue_max <= QUEUE_CEILING:
            raise UsageError(
                f"the queue is {queue_max:,} calls long; allowed are 1 to {QUEUE_CEILING:,}",
                code="limits",
            )
        deployment = Deployment(
            script=self.script,
            directory=_absolute(dir),
            title=title,
            debug=debug,
            upgrade=upgrade,
            limits=limits or Limits(),
            progress=progress,
        )
        loop = asyncio.get_running_loop()
        self._lifetime = Lifetime(
            deployment,
            self._surroundings,
            loop,
            queue_max=queue_max,
            watcher=watcher or NobodyWatches(),
        )
        self._beginning = loop.run_in_executor(None, self._lifetime.begin)
        try:
            # Whoever gives up waiting does not end it: that is for `close`.
            await asyncio.shield(self._beginning)
        except Exception:
            self._lifetime = self._beginning = None
            raise

    def call(
        self, method: str, arguments: bytes, caller: str | None = None
    ) -> asyncio.Future[Answer]:
        """Queue one call; it takes its place before this returns.

        A call of a read-only method waits for no other and is not logged.

        Args:
            method: The exported function.
            arguments: JSON array text.
            caller: Who calls; the one who calls this has made sure of it.

        Returns:
            The answer, once its entry is on disk, or that it was read at. An error of the script is
            an answer too.

        Raises:
            UnknownMethodError: The script exports no such function.
            ArgumentsError: The arguments are too large or nest too deeply.
            CallerError: Only a debug backend takes names, and none that looks like a key.
            QueueFullError: Too many calls are waiting.
            BackendClosedError: The backend is stopping, or recovers from a failure.
        """
        running = self._require()
        if method not in running.names:
            raise UnknownMethodError(f"the script exports no function {method!r}")
        if caller is not None:
            check_caller(caller, debug=running.backend.identity.debug)
        arguments = check_arguments(arguments, running.backend.limits.args_bytes)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        running.submit(Request(method, arguments, caller, future))
        return future

    def refuse_waiting(self) -> None:
        """Refuse the calls that have not begun to run; their callers are told."""
        if self._lifetime is not None and (running := self._lifetime.running) is not None:
            running.refuse_waiting()

    async def failure(self) -> NodeVMSError:
        """Wait until the backend has failed for good: opening it again cannot help.

        Returns:
            Why. After other failures, such as a full disk, it goes on by itself.
        """
        if self._lifetime is None:
            raise BackendClosedError("the backend is not running")
        return await asyncio.shield(self._lifetime.failure)

    async def close(self) -> None:
        """Answer and log every accepted call, publish the files, and close the directory.

        A backend that is being started, or opened again after a failure, is waited for.
        """
        lifetime, beginning = self._lifetime, self._beginning
        if lifetime is None or beginning is None:
            return
        await asyncio.get_running_loop().run_in_executor(None, lifetime.end)
        await asyncio.wait([beginning])
        beginning.exception()  # `deploy` raises it, if anybody still waits for that

    @property
    def methods(self) -> tuple[Method, ...]:
        """The functions that may be called."""
        return self._require().methods

    @property
    def code(self) -> str:
        """The script's text."""
        return self.script.code

    @property
    def code_hash(self) -> str:
        """The SHA-256 of the script's text, in hex."""
        return self.script.hash

    @property
    def title(self) -> str:
        """The backend's title."""
        return self._require().backend.identity.title

    @property
    def debug(self) -> bool:
        """Whether callers may name themselves."""
        return self._require().backend.identity.debug

    @property
    def epoch(self) -> int:
        """The position of the start entry under which calls run now."""
        return self._require().backend.epoch

    @property
    def directory(self) -> Path:
        """The backend's directory."""
        return self._require().backend.store.layout.root

    @property
    def call_log(self) -> CallLog:
        """The call log, for reading; closing it does nothing."""
        return CallLog(self._require().backend.store.log, owned=False)

    @property
    def files_archive(self) -> DatArchive:
        """The files as the synced entries of the log leave them; closing it does nothing."""
        backend = self._require().backend
        return DatArchive.of_store(backend.store, backend.identity.title)

    @property
    def call_log_url(self) -> str:
        """The call log's ``dat://`` URL."""
        return self._require().backend.store.log_url

    @property
    def files_archive_url(self) -> str:
        """The published drive's ``dat://`` URL."""
        return self._require().backend.store.files_url

    @property
    def feeds(self) -> dict[str, tuple[Feed, Path, str]]:
        """The three feeds by their public names, with directory and file prefix."""
        store = self._require().backend.store
        layout = store.layout
        return {
            "call-log": (store.log, layout.root, LOG_PREFIX),
            "metadata": (store.metadata, layout.metadata, ""),
            "content": (store.content, layout.content, ""),
        }

    def _require(self) -> Running:
        running = None if self._lifetime is None else self._lifetime.running
        if running is None:
            raise BackendClosedError("the backend is not running")
        return running

    def _surroundings(self) -> Surroundings:
        if self._engine is None:
            self._engine = Engine()
        return Surroundings(
            engine=self._engine,
            clock=self._clock,
            seeds=self._seeds,
            console=self._console,
            shows=self._console.shows,
            observer=self._observer,
            world=self._world,
        )


def _absolute(path: Path | str) -> Path:
    return Path(path).absolute()
