"""Backends on a thread of their own, for commands that run in the test's process."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from click.testing import Result

from nodevms.rpc import Backend, RPCServer
from nodevms.vm import VM

T = TypeVar("T")
Nodevms = Callable[..., Result]
"""Runs a command line in the test's process."""

SCRIPT = """
let count = 0
exports.increment = () => ++count
exports.echo = value => value
exports.add = (a, b = 1, ...rest) => a + b
exports.nothing = () => {}
exports.fail = message => { throw Object.assign(new RangeError(message), { code: 'E_OWN' }) }
exports.throwValue = value => { throw value }
exports.loop = () => { for (;;); }
exports.who = () => System.caller.id
exports.write = (path, text) => System.files.writeFile(path, text)
"""


class Serving:
    """A loop on a thread, with one server that can be stopped and started again."""

    def __init__(self, port: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server: RPCServer | None = None
        self._vm: VM | None = None
        self.port = port

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def start(self, backend: Backend) -> None:
        self._server = RPCServer({"/": backend}, port=self.port)
        self.wait(self._server.start())
        self.port = self._server.port

    def start_script(self, directory: Path, code: str = SCRIPT, **options: Any) -> None:
        self._vm = VM(code)
        self.wait(self._vm.deploy(dir=directory, **options))
        self.start(self._vm)

    def stop(self) -> None:
        if self._server is not None:
            self.wait(self._server.stop(1.0))
            self._server = None
        if self._vm is not None:
            self.wait(self._vm.close())
            self._vm = None

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def lasting_port() -> int:
    """Return a free port that the system gives to nobody by itself while its server is away."""
    for port in random.sample(range(10_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


@contextmanager
def serving(port: int = 0) -> Iterator[Serving]:
    server = Serving(port)
    try:
        yield server
    finally:
        server.close()
