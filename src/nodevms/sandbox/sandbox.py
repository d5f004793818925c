"""A script's virtual machine: it runs entries to their end and undoes those that a limit stops.

Undoing goes back to the last snapshot in a *new* instance and runs the entries since again, fed
with the answers that the host gave then. (An instance is never restored in place: its memory would
be larger than the snapshot's, and later gas would differ.) So a call costs nothing extra until one
has to be undone. When snapshots are taken has no influence on any result or on gas.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from typing import Final, Literal

from nodevms.errors import LocalProtocolError
from nodevms.sandbox import instance as guest
from nodevms.sandbox.engine import Engine
from nodevms.sandbox.host import Host, Meter
from nodevms.sandbox.instance import Ended, EngineFaultError, Image, Instance
from nodevms.sandbox.limits import Limits
from nodevms.sandbox.outcome import Export, Outcome, stopped
from nodevms.sandbox.parameters import parameter_names

JOURNAL_ENTRIES_MAX: Final = 512
JOURNAL_GAS_MAX: Final = 200_000_000
JOURNAL_BYTES_MAX: Final = 8 * 1024 * 1024

_START: Final = struct.Struct("<qIIIII")
_CALL: Final = struct.Struct("<qiI")
_HOOKS: Final = {None: 0, "init": 1, "upgrade": 2}
_NO_METHOD: Final = b'{"name":"TypeError","message":"The script no longer exports this method"}'
_POSITION: Final = re.compile(r"script\.js:(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class _Done:
    """An entry that can be run again."""

    request: bytes
    answers: tuple[tuple[bytes, int], ...]
    gas: int


class _Recorded:
    """Answers as the host did before, and takes the gas that it took."""

    def __init__(self, answers: tuple[tuple[bytes, int], ...]) -> None:
        self._answers = iter(answers)

    def call(self, _operation: int, _request: bytes, meter: Meter) -> bytes:
        answer, gas = next(self._answers, (b"", 0))
        meter.charge(gas)
        return answer


class Sandbox:
    """One script in one virtual machine.

    Enter it from one thread at a time, whose stack has ``ENGINE_STACK_BYTES``.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._instance: Instance | None = Instance(engine, limits)
        self._image: Image | None = None
        self._journal: list[_Done] = []
        self._journal_gas = 0
        self._journal_bytes = 0
        self._last_gas = 0
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
        """
        limits = self._limits
        request = _START.pack(
            time_ms,
            _HOOKS[hook],
            limits.memory_bytes,
            limits.stack_bytes,
            limits.console_bytes,
            limits.timers,
        )
        instance = self._require()
        if self._image is not None:
            raise LocalProtocolError("the script was started already")
        ended = instance.enter("start", request + code.removeprefix("\ufeff").encode(), host)
        outcome = self._judge(ended)
        if outcome.error is not None:
            self.close()
            return outcome
        self.exports = tuple(
            Export(name, parameter_names(source)) for name, source in json.loads(ended.exports)
        )
        self._image = instance.image()
        return outcome

    def call(
        self, method: str, arguments: bytes, *, caller: str | None, time_ms: int, host: Host
    ) -> Outcome:
        """Run one exported function to its end.

        Args:
            method: Its name.
            arguments: JSON array text.
            caller: What ``System.caller.id`` shows.
            time_ms: What ``Date`` shows.
            host: Answers what the call asks.

        Raises:
            Exception: What the host raised. The sandbox cannot be used after that.
        """
        name = method.encode()
        who = None if caller is None else caller.encode()
        request = (
            _CALL.pack(time_ms, -1 if who is None else len(who), len(name))
            + (who or b"")
            + name
            + arguments
        )
        instance = self._require()
        self._snapshot_if_due()
        try:
            ended = instance.enter("call", request, host)
        except BaseException:
            self.close()
            raise
        outcome = self._judge(ended)
        self._last_gas = outcome.gas
        if outcome.undone:
            self._undo()
        else:
            self._journal.append(_Done(request, tuple(instance.recorded), outcome.gas))
        return outcome

    def undo_last(self, code: str, message: str) -> Outcome:
        """Undo the call that just ended, because of a limit that the caller found it over."""
        if self._journal:
            self._journal.pop()
            self._undo()
        else:
            raise LocalProtocolError("there is no call to undo")
        return stopped(code, message, self._last_gas)

    def close(self) -> None:
        """Free the guest's memory."""
        self._instance = None
        self._image = None
        self._journal = []

    def _require(self) -> Instance:
        if self._instance is None:
            raise EngineFaultError("the sandbox failed before and cannot be used")
        return self._instance

    def _judge(self, ended: Ended) -> Outcome:
        stop = self._stop_of(ended)
        if stop is not None:
            return stopped(*stop, self._limits.gas if ended.how == guest.TRAPPED_GAS else ended.gas)
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
            guest.ENDED_NO_MEMORY: ("ERR_MEMORY", memory),
            guest.ENDED_NEVER_SETTLED: (
                "ERR_NEVER_SETTLED",
                "The promise that the call returned never settles",
            ),
        }.get(ended.how)

    def _snapshot_if_due(self) -> None:
        """Take a snapshot before the next call, so that the last one can still be undone."""
        journal = self._journal
        if not journal:
            return
        done = journal[-1]
        self._journal_gas += done.gas
        self._journal_bytes += len(done.request) + sum(len(answer) for answer, _ in done.answers)
        if (
            len(journal) >= JOURNAL_ENTRIES_MAX
            or self._journal_gas >= JOURNAL_GAS_MAX
            or self._journal_bytes >= JOURNAL_BYTES_MAX
        ):
            self._snapshot()

    def _snapshot(self) -> None:
        self._image = self._require().image()
        self._journal = []
        self._journal_gas = self._journal_bytes = 0

    def _undo(self) -> None:
        """Go back to where the journal leads, and make that the new snapshot."""
        if self._image is None:
            raise EngineFaultError("there is no snapshot to go back to")
        instance = Instance(self._engine, self._limits, self._image)
        for done in self._journal:
            again = instance.enter("call", done.request, _Recorded(done.answers))
            if again.gas != done.gas:
                raise EngineFaultError("a call that was run again used another amount of gas")
        self._instance = instance
        if self._journal:
            self._snapshot()


def _position(error: bytes, stack: str) -> tuple[int, int] | None:
    """Return where a syntax error is; other errors have a stack instead."""
    if not error.startswith(b'{"name":"SyntaxError"'):
        return None
    match = _POSITION.search(stack)
    return None if match is None else (int(match[1]), int(match[2]))
