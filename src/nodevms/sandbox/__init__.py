"""The engine: QuickJS-NG in WebAssembly, metered, limited and restorable."""

from nodevms.sandbox.engine import ENGINE_STACK_BYTES, Engine
from nodevms.sandbox.fork import Forked, run_fork
from nodevms.sandbox.host import NO_ORACLES, Guest, Host, Meter, Operation, OutOfGas
from nodevms.sandbox.instance import EngineFaultError, HostTimeoutError
from nodevms.sandbox.journal import Point
from nodevms.sandbox.limits import Limits
from nodevms.sandbox.outcome import Export, Outcome, limit_error, stopped
from nodevms.sandbox.replica import Fork, Replica
from nodevms.sandbox.sandbox import Sandbox

__all__ = [
    "ENGINE_STACK_BYTES",
    "NO_ORACLES",
    "Engine",
    "EngineFaultError",
    "Export",
    "Fork",
    "Forked",
    "Guest",
    "Host",
    "HostTimeoutError",
    "Limits",
    "Meter",
    "Operation",
    "OutOfGas",
    "Outcome",
    "Point",
    "Replica",
    "Sandbox",
    "limit_error",
    "run_fork",
    "stopped",
]
