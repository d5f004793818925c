"""Interrupting a call from another thread: it is undone as by a limit."""

from __future__ import annotations

import threading

from sandbox_machine import DictHost, Machine

from nodevms.sandbox import Engine, Limits, Meter

CODE = """
var n = 0
exports.add = () => ++n
exports.loop = () => { n = 99; console.log('looping'); for (;;); }
"""


class Telling(DictHost):
    def __init__(self) -> None:
        super().__init__()
        self.told = threading.Event()

    def call(self, operation: int, request: bytes, meter: Meter) -> bytes:
        self.told.set()
        return super().call(operation, request, meter)


def test_an_interrupted_call_is_undone_and_the_next_one_runs() -> None:
    # An engine of its own: an interruption moves the clock of every sandbox on the engine.
    machine = Machine(Engine(), CODE, Limits(gas=10**12))
    machine.host = host = Telling()
    try:
        assert machine.value("add") == 1
        machine.sandbox.interrupt()  # nothing runs: nothing happens
        assert machine.value("add") == 2
        host.told.clear()
        interrupter = threading.Thread(
            target=lambda: host.told.wait(60) and machine.sandbox.interrupt()
        )
        interrupter.start()
        assert machine.error("loop")["code"] == "ERR_INTERRUPTED"
        interrupter.join()
        assert machine.value("add") == 3
    finally:
        machine.sandbox.close()
