"""A script's virtual machine: it runs entries to their end and undoes those that a limit stops."""

from __future__ import annotations

import json
import re
import struct
import threading
from typing import Final, Literal

from nodevms.errors import LocalProtocolError
from nodevms.sandbox import instance as guest
from nodevms.sandbox.engine import Engine
from nodevms.sandbox.host import Host
from nodevms.sandbox.instance import Ended, EngineFaultError, HostTimeoutError, Instance
from nodevms.sandbox.journal import Journal, Point
from nodevms.sandbox.limits import Limits
from nodevms.sandbox.outcome import Export, Outcome, stopped
from nodevms.sandbox.parameters import parameter_names
from nodevms.sandbox.replica import Replica
from nodevms.sandbox.request import call_request

_START: Final = struct.Struct("<qIIIII")
_HOOKS: Final = {None: 0, "init": 1, "upgrade": 2}
_NO_METHOD: Final = b'{"name":"TypeError","message":"The script no longer exports this method"}'
_POSITION: Final = re.compile(r"script\.js:(\d+):(\d+)")


class Sandbox:
    """One script in one virtual machine.

    Enter it from one thread at a time, whose stack has ``ENGINE_STACK_BYTES``. An entry is a
    function of the script, the entries before it, its arguments and the host's answers: result,
    error and gas are the same on every machine, whatever was undone or snapshotted in between.

    Attributes:
        exports: The functions that may be called, as they were after the start.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._instance: Instance | None = Instance(engine, limits)
        self._running = self._interrupted = False
        self._running_lock = threading.Lock()
        self._journal = Journal(engine, limits)
        self._started = False
        self._last_gas: int | None = None
        self.exports: tuple[Export, ...] = ()

    def start(
        self,
        code: str,
        hook: Literal["init", "upgrade"] | None,
        *,
        time_ms: int,
        host: Host,
    ) -> Outcome:
        """Load the script and run one of its hooks, if it has it. Once in a sandbox's life.

        After an error the sandbox cannot be used.

        Args:
            code: The body of a CommonJS module, or an ES module. A byte order mark and a ``#!``
                line are skipped.
            hook: The export to run and wait for after loading.
            time_ms: What ``Date`` shows, in milliseconds since 1970.
            host: Answers what the script asks.

        Raises:
            EngineFaultError: The engine failed, or ran far longer than its gas can take.
            Exception: What the host raised.
        """
        if self._started:
            raise LocalProtocolError("the script was started already")
        self._started = True
        limits = self._limits
        request = _START.pack(
            time_ms,
            _HOOKS[hook],
            limits.memory_bytes,
            limits.stack_bytes,
            limits.console_bytes,
            limits.timers,
        ) + code.removeprefix("\ufeff").encode("utf-8", "replace")
        ended, outcome = self._enter("start", request, host)
        if outcome.error is not None:
            self.close()
            return outcome
        self.exports = tuple(
            Export(name, parameter_names(source), readonly=bool(marks))
            for name, source, *marks in json.loads(ended.exports)
        )
        self._journal.add("start", request, self._require(), ended)
        return outcome

    def call(
        self, method: str, arguments: bytes, *, caller: str | None, time_ms: int, host: Host
    ) -> Outcome:
        """Run one exported function to its end, or undo it whole if a limit stops it.

        Args:
            method: Its name.
            arguments: JSON array text in UTF-8, nested no deeper than the host allows.
            caller: What ``System.caller.id`` shows.
            time_ms: What ``Date`` shows, in milliseconds since 1970.
            host: Answers what the call asks.

        Raises:
            EngineFaultError: The engine failed, or ran far longer than its gas can take.
            Exception: What the host raised. The sandbox cannot be used after either.
        """
        request = call_request(method, arguments, caller=caller, time_ms=time_ms)
        self._last_gas = None
        # Before the call and not after it, so that the call before can still be undone.
        self._journal.snapshot_if_due(self._require())
        ended, outcome = self._enter("call", request, host)
        if outcome.undone:
            self._go_back()
        else:
            self._journal.add("call", request, self._require(), ended)
            self._last_gas = outcome.gas
        return outcome

    def undo_last(self, code: str, message: str) -> Outcome:
        """Undo the call that just ended, because of a limit that its host found it over.

        Args:
            code: The limit's code, for the error that the caller gets.
            message: A sentence about it.

        Raises:
            LocalProtocolError: The last thing was not a call that stayed.
        """
        if self._last_gas is None:
            raise LocalProtocolError("there is no call to undo")
        outcome = stopped(code, message, self._last_gas)
        self._last_gas = None
        self._journal.drop_last()
        self._go_back()
        return outcome

    def point(self) -> Point:
        """Return where the sandbox is, for a replica to go there. Only between two entries.

        Takes a snapshot if going there would be dear, as the next call would do otherwise.
        """
        self._journal.snapshot_if_due(self._require())
        return self._journal.point()

    def replica(self) -> Replica:
        """Return what makes copies of this sandbox at its points, on any thread."""
        return Replica(self._engine, self._limits, self._judge)

    def interrupt(self) -> None:
        """Stop the entry that runs at this moment, if one does; any thread may call this.

        A call ends as one that a limit stopped, with the code ``ERR_INTERRUPTED``, and is undone
        whole. While the guest waits for its host, the interruption waits as well. It is for a
        person at a prompt: such an outcome is no function of the entry and must not be logged.
        It moves the engine's clock on, so no other sandbox of the same engine may be running.
        """
        with self._running_lock:
            if self._running and self._instance is not None:
                self._interrupted = True
                for _ in range(self._instance.wall_seconds + 1):
                    self._engine.tick()

    def heap_hash(self) -> str:
        """Return the hash of all that makes up the guest's state, in hex; between two entries.

        It is a function of the same things as the outcomes are, and so is equal on every machine,
        whatever was undone or snapshotted. ``docs/spec-engine.md`` says which bytes it covers.

        Raises:
            EngineFaultError: The sandbox failed or was closed.
        """
        return self._require().image().hash()

    def close(self) -> None:
        """Free the guest's memory."""
        self._instance = None
        self._last_gas = None

    def _require(self) -> Instance:
        if self._instance is None:
            raise EngineFaultError("the sandbox failed or was closed and cannot be used")
        return self._instance

    def _enter(self, function: str, request: bytes, host: Host) -> tuple[Ended, Outcome]:
        try:
            ended = self._run(function, request, host)
            return ended, self._judge(ended)
        except BaseException:
            self.close()
            raise

    def _run(self, function: str, request: bytes, host: Host) -> Ended:
        instance = self._require()
        self._interrupted = False
        self._running = True
        try:
            return instance.enter(function, request, host)
        except HostTimeoutError:
            if not self._interrupted:
                raise
            return Ended(guest.INTERRUPTED, self._limits.gas)
        finally:
            with self._running_lock:
                self._running = False

    def _go_back(self) -> None:
        self._instance = None  # its memory first, the new one's after it
        self._instance = self._journal.go_back()

    def _judge(self, ended: Ended) -> Outcome:
        stop = self._stop_of(ended)
        if stop is not None:
            return stopped(*stop, ended.gas)
        if ended.how == guest.ENDED_WITH_VALUE:
            return Outcome(ended.text, None, ended.gas)
        if ended.how == guest.ENDED_WITH_NOTHING:
            return Outcome(None, None, ended.gas)
        if ended.how == guest.ENDED_NO_METHOD:
            return Outcome(None, _NO_METHOD, ended.gas)
        stack = ended.stack.decode("utf-8", "replace")
        return Outcome(None, ended.text, ended.gas, False, stack, _position(ended.text, stack))

    def _stop_of(self, ended: Ended) -> tuple[str, str] | None:
        """Return code and message of the limit that stopped an entry, if one did."""
        limits = self._limits
        if len(ended.text) > limits.result_bytes:
            size = f"{len(ended.text):,} bytes; {limits.result_bytes:,} are allowed"
            return "ERR_RESULT_SIZE", f"The result has {size}"
        memory = f"Out of memory or stack: a call may use {limits.memory_bytes:,} bytes"
        return {
            guest.TRAPPED_GAS: ("ERR_GAS", f"Out of gas: a call may use {limits.gas:,}"),
            guest.TRAPPED: ("ERR_MEMORY", memory),
            guest.ENDED_NO_ROOM: ("ERR_MEMORY", memory),
            guest.INTERRUPTED: ("ERR_INTERRUPTED", "The call was interrupted"),
            guest.ENDED_NEVER_SETTLED: (
                "ERR_NEVER_SETTLED",
                "The promise that the call returned never settles",
            ),
        }.get(ended.how)


def _position(error: bytes, stack: str) -> tuple[int, int] | None:
    """Return where a syntax error is; other errors have a stack instead."""
    if not error.startswith(b'{"name":"SyntaxError"'):
        return None
    match = _POSITION.search(stack)
    return None if match is None else (int(match[1]), int(match[2]))
