"""The life of a served backend: the address first, then the start, then calls, then the stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from nodevms.cli.network_options import NetworkWish
from nodevms.cli.sharing import Sharing
from nodevms.errors import NodeVMSError
from nodevms.vm.limits import Limits
from nodevms.vm.live_oracles import World
from nodevms.vm.script import Script

if TYPE_CHECKING:
    from nodevms.rpc import Backend, RPCServer
    from nodevms.vm.allowed_hosts import AllowedHosts
    from nodevms.vm.vm import VM

SWITCH_INTERVAL_S: Final = 0.0002
"""How long a thread of ours may keep the others waiting: calls pass through three of them."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LOG: Final = logging.getLogger("nodevms.exec")


@dataclass(frozen=True, slots=True)
class Serving:
    """What the operator asks for; see ``nodevms exec --help``."""

    script: Script
    directory: Path
    host: str
    port: int
    title: str | None
    debug: bool
    upgrade: bool
    origins: tuple[str, ...]
    limits: Limits
    allow_net: AllowedHosts | None
    queue_max: int
    sharing: NetworkWish | None
    swarm_port: int


Announce: TypeAlias = Callable[[str, Path, str, str], None]
"""Says where the backend is, once it can be called: address, directory, files URL, log URL."""


async def serve(settings: Serving, announce: Announce) -> None:
    """Serve a backend until a signal asks to stop.

    Raises:
        NodeVMSError: It could not be started, or it failed for good.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    from nodevms.vm.vm import VM

    sharing = Sharing(settings.sharing, settings.swarm_port)
    vm = VM(settings.script, world=world_of(settings))
    server = server_for(settings, vm)
    joining: asyncio.Future[None] | None = None
    stopping = Stopping(lambda: server.pending, vm.refuse_waiting)
    try:
        await server.bind()
        await deploy(vm, settings, sharing)
        if not stopping.asked:
            await server.start()
            address = address_of(settings, server)
            announce(address, settings.directory, vm.files_archive_url, vm.call_log_url)
            joining = asyncio.get_running_loop().run_in_executor(None, sharing.join)
        failure = await _end(stopping, vm.failure())
    finally:
        await server.stop(drain_seconds=None)
        if joining is not None:
            await joining
        await vm.close()
        await asyncio.get_running_loop().run_in_executor(None, sharing.leave)
    if failure is not None:
        raise failure


def world_of(settings: Serving) -> World:
    """Return what oracles find outside: this computer, and the servers that they may ask."""
    if settings.allow_net is None:
        return World()
    from nodevms.vm.fetching import Fetcher

    return World(fetch=Fetcher(settings.allow_net))


def server_for(settings: Serving, backend: Backend) -> RPCServer:
    """Return a server with one backend, neither bound nor started."""
    from nodevms.rpc import Limits as ServerLimits
    from nodevms.rpc import RPCServer

    return RPCServer(
        {"/": backend},
        host=settings.host,
        port=settings.port,
        allow_origins=settings.origins,
        limits=ServerLimits(arguments_bytes_max=settings.limits.args_bytes),
    )


async def deploy(vm: VM, settings: Serving, sharing: Sharing) -> None:
    """Start a backend, and warn of what its callers will miss.

    Raises:
        NodeVMSError: As :meth:`VM.deploy`.
    """
    from nodevms.rpc.discover import OWN_METHODS

    await vm.deploy(
        dir=settings.directory,
        title=settings.title,
        debug=settings.debug,
        upgrade=settings.upgrade,
        limits=settings.limits,
        queue_max=settings.queue_max,
        watcher=sharing,
    )
    for name in OWN_METHODS.intersection(method.name for method in vm.methods):
        _LOG.warning("the script's export %r cannot be called: the server has its own", name)


def address_of(settings: Serving, server: RPCServer) -> str:
    """Return where a bound server is reached, as people write it."""
    return f"{_name(settings.host)}:{server.port}"


async def _end(stopping: Stopping, failing: Awaitable[NodeVMSError]) -> NodeVMSError | None:
    """Wait until a signal asks to stop, or the backend fails for good; return the failure."""
    failure = asyncio.ensure_future(failing)
    asked = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((asked, failure), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if failure.done():
        return failure.result()
    failure.cancel()
    return None


class Stopping:
    """What signals mean: stop when all is answered, refuse what has not begun, die.

    Args:
        pending: Tells how many accepted calls have no answer yet.
        refuse_waiting: Refuses those that have not begun.
    """

    def __init__(self, pending: Callable[[], int], refuse_waiting: Callable[[], None]) -> None:
        self._pending = pending
        self._refuse_waiting = refuse_waiting
        self._asked = asyncio.Event()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._asked.is_set()

    async def wait(self) -> None:
        """Wait for a signal."""
        await self._asked.wait()

    def _signalled(self) -> None:
        if not self.asked:
            self._asked.set()
            pending = self._pending()
            if pending:
                _LOG.info(
                    "stopping when %d accepted calls are answered; "
                    "a second signal refuses those that have not begun",
                    pending,
                )
            return
        _LOG.warning("refusing the calls that have not begun; a third signal kills")
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        self._refuse_waiting()


def _name(host: str) -> str:
    if host == "127.0.0.1":
        return "localhost"
    return f"[{host}]" if ":" in host else host
