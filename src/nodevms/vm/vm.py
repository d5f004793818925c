"""A backend as asyncio programs see it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from nodevms.errors import NodeVMSError, StorageError, UsageError
from nodevms.feed import Feed
from nodevms.sandbox import Engine
from nodevms.vm.admission import check_arguments
from nodevms.vm.backend import Surroundings
from nodevms.vm.call_log import CallLog
from nodevms.vm.callers import check_caller
from nodevms.vm.console import Console
from nodevms.vm.dat_archive import DatArchive
from nodevms.vm.deploy import Deployment
from nodevms.vm.directory import LOG_PREFIX
from nodevms.vm.errors import BackendClosedError, UnknownMethodError
from nodevms.vm.exports import Exports
from nodevms.vm.limits import Limits
from nodevms.vm.requests import Answer, Method, Outcome, Request
from nodevms.vm.running import QUEUE_CEILING, QUEUE_MAX, Running, open_running, resolve
from nodevms.vm.script import Script
from nodevms.vm.system import clock_ms, fresh_seed

RECOVERY_PAUSES_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0)

_LOG = logging.getLogger("nodevms.vm")


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
        script_log: logging.Logger | None = None,
    ) -> None:
        """Take the script; nothing runs before :meth:`deploy`.

        Args:
            code: The script's text, or a script that was read from a file.
            engine: The compiled guest; by default one is loaded.
            clock: Milliseconds since 1970.
            seeds: 16 fresh hex digits for each call that asks for randomness.
            script_log: Where ``console`` writes; by default the logger ``nodevms.script``.
        """
        self.script: Final = code if isinstance(code, Script) else Script("script.js", code)
        self._engine = engine
        self._clock = clock
        self._seeds = seeds
        self._console = Console(script_log or logging.getLogger("nodevms.script"), time.monotonic)
        self._running: Running | None = None
        self._deployment: Deployment | None = None
        self._lock = threading.Lock()
        self._closing = False
        self._queue_max = QUEUE_MAX
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

        Raises:
            ScriptError: The script does not load or exports nothing; nothing was recorded.
            DirectoryError: The directory is not this backend's.
            StorageError: The directory is locked, damaged or not writable.
            UsageError: A limit is out of range.
        """
        if self._running is not None:
            raise UsageError("this VM is deployed already")
        if not 1 <= queue_max <= QUEUE_CEILING:
            raise UsageError(
                f"the queue is {queue_max:,} calls long; allowed are 1 to {QUEUE_CEILING:,}",
                code="limits",
            )
        self._queue_max = queue_max
        self._deployment = Deployment(
            script=self.script,
            directory=_absolute(dir),
            title=title,
            debug=debug,
            upgrade=upgrade,
            limits=limits or Limits(),
            progress=progress,
        )
        self._loop = asyncio.get_running_loop()
        self._failure = self._loop.create_future()
        self._running = await self._loop.run_in_executor(None, self._begin)

    def call(
        self, method: str, arguments: bytes, caller: str | None = None
    ) -> asyncio.Future[Answer]:
        """Queue one call; it takes its place before this returns.

        Args:
            method: The exported function.
            arguments: JSON array text.
            caller: Who calls; the one who calls this has made sure of it.

        Returns:
            The answer, once its entry is on disk. An error of the script is an answer too.

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
        running.worker.submit(Request(method, arguments, caller, future))
        return future

    def refuse_waiting(self) -> None:
        """Refuse the calls that have not begun to run; their callers are told."""
        if (running := self._running) is not None:
            running.worker.refuse_waiting()

    async def failure(self) -> NodeVMSError:
        """Wait until the backend has failed for good: opening it again cannot help.

        Returns:
            Why. After other failures, such as a full disk, it goes on by itself.
        """
        return await asyncio.shield(self._failure)

    async def close(self) -> None:
        """Answer and log every accepted call, publish the files, and close the directory."""
        with self._lock:
            self._closing = True
            running, self._running = self._running, None
        if running is not None:
            await self._loop.run_in_executor(None, running.close)

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
        if self._running is None:
            raise BackendClosedError("the backend is not running")
        return self._running

    def _begin(self) -> Running:
        deployment = self._deployment
        if deployment is None:
            raise UsageError("this VM was not deployed")
        if self._engine is None:
            self._engine = Engine()
        surroundings = Surroundings(self._engine, self._clock, self._seeds, self._console)
        return open_running(
            deployment, surroundings, self._deliver, self._recover, queue_max=self._queue_max
        )

    def _deliver(self, outcomes: Sequence[tuple[Request, Outcome]]) -> None:
        self._loop.call_soon_threadsafe(resolve, outcomes)

    def _recover(self, error: Exception) -> None:
        """Open the directory again after a failed write or a broken engine."""
        with self._lock:
            running, self._running = self._running, None
            if self._closing or running is None:
                return
        _LOG.error("the backend stopped: %s", running.backend.failure or error)
        threading.Thread(target=self._reopen, args=(running,), name="nodevms-recovery").start()

    def _reopen(self, running: Running) -> None:
        running.close()
        if self._give_up(running.backend.failure):
            return
        attempt = 0
        while not self._closing:
            time.sleep(RECOVERY_PAUSES_S[min(attempt, len(RECOVERY_PAUSES_S) - 1)])
            attempt += 1
            try:
                reopened = self._begin()
            except NodeVMSError as error:
                _LOG.error("opening the backend again failed: %s", error)
                if self._give_up(error):
                    return
                continue
            with self._lock:
                if not self._closing:
                    self._running = reopened
                    _LOG.warning("the backend runs again, in a new epoch")
                    return
            reopened.close()

    def _give_up(self, error: NodeVMSError | None) -> bool:
        """Tell those who wait for it of a failure that no new start can mend."""
        fatal = isinstance(error, StorageError) and error.fatal
        if fatal:
            self._loop.call_soon_threadsafe(self._failure.set_result, error)
        return fatal


def _absolute(path: Path | str) -> Path:
    return Path(path).absolute()
