"""A script that is being written: served, and served anew whenever its file changes.

Every change begins a new, empty backend, so that what is served is what a first ``exec`` of the
file would serve. With ``keep`` the script replaces the one before it in the same backend, as
``--upgrade`` does. A script that does not start is explained, and callers are told so: the one
before it would give answers that the file does not give any more.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nodevms.cli.dev.lines import DEV_LOGGER, TITLE_CHARACTERS_MAX, CallLines, methods_line
from nodevms.cli.dev.place import TemporaryPlace
from nodevms.cli.dev.watch import FileWatch, signature_of
from nodevms.cli.printable import printable
from nodevms.cli.serving import (
    SWITCH_INTERVAL_S,
    Serving,
    Stopping,
    address_of,
    deploy,
    server_for,
    world_of,
)
from nodevms.cli.sharing import Sharing
from nodevms.errors import NodeVMSError
from nodevms.rpc.stand_in import StandIn
from nodevms.sandbox import Engine
from nodevms.vm.script import read_script
from nodevms.vm.vm import VM

if TYPE_CHECKING:
    from nodevms.rpc import Backend

_LOG: Final = logging.getLogger(DEV_LOGGER)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a developer asks for.

    Attributes:
        path: The script's file.
        keep: Keep the files when the script changes.
        colour: Whether to colour the lines about calls.
    """

    path: Path
    keep: bool
    colour: bool


class _Running:
    """One backend from its start to its end, with its share in the network."""

    def __init__(self, vm: VM, settings: Serving) -> None:
        self.vm = vm
        self.directory = settings.directory
        self.sharing = Sharing(settings.sharing, settings.swarm_port)

    async def close(self) -> None:
        await self.vm.close()
        await asyncio.to_thread(self.sharing.leave)


class Development:
    """Serves a script until a signal asks to stop.

    Args:
        settings: As for a backend that stays; script and directory are chosen here.
        wish: What the developer asks for.
        place: Where the backends live.
    """

    def __init__(self, settings: Serving, wish: Wish, place: TemporaryPlace) -> None:
        self._settings = settings
        self._wish = wish
        self._place = place
        self._observer = CallLines(wish.colour)
        self._running: _Running | None = None
        self._kept = place.new()
        self._server = server_for(settings, StandIn("The script is being started."))

    async def run(self, announce: Callable[[str, Path], None]) -> None:
        """Serve, and say where before the first call can come.

        Raises:
            NodeVMSError: The address cannot be had, or a backend failed for good.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        stopping = Stopping(lambda: self._server.pending, self._refuse_waiting)
        watch = FileWatch(partial(signature_of, self._wish.path))
        try:
            await self._server.bind()
            self._engine = await asyncio.to_thread(Engine)
            await self._load()
            await self._server.start()
            announce(address_of(self._settings, self._server), self._place.root)
            failure = await self._until(stopping, watch)
        finally:
            await self._server.stop(drain_seconds=None)
            if self._running is not None:
                await self._running.close()
        if failure is not None:
            raise failure

    async def _until(self, stopping: Stopping, watch: FileWatch) -> NodeVMSError | None:
        """Load every change until a signal comes, or a backend fails for good; return why."""
        asked = asyncio.ensure_future(stopping.wait())
        change = asyncio.ensure_future(watch.change())
        try:
            while True:
                failing = self._failing()
                waiting: list[asyncio.Future[Any]] = [asked, change, *failing]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for future in failing:
                    if future.done():
                        return future.result()
                    future.cancel()
                if asked.done():
                    return None
                what = change.result()
                change = asyncio.ensure_future(watch.change())
                if what == "changed":
                    await self._load()
                else:
                    _LOG.warning("%s is gone; waiting until it is back", self._name)
        finally:
            asked.cancel()
            change.cancel()

    async def _load(self) -> None:
        """Put what the file holds now in the place of what is served."""
        again = self._running is not None
        try:
            running = await self._started()
        except NodeVMSError as error:
            self._explain(error)
            why = printable(str(error)).replace("\n", " ")[:TITLE_CHARACTERS_MAX]
            await self._put(None, StandIn(f"{why} (the call was not run)"))
            return
        await self._put(running, running.vm)
        how = "" if not again else ", the files kept" if self._wish.keep else ", without files"
        methods = methods_line(running.vm.methods)
        _LOG.info("%s serves%s: %s", printable(self._name), how, methods)
        await asyncio.to_thread(running.sharing.join)

    async def _started(self) -> _Running:
        script = read_script(self._wish.path)
        keep = self._wish.keep
        if keep and self._running is not None:  # a directory has one writer
            await self._put(None, StandIn("The script is being replaced. Call again."))
        settings = replace(
            self._settings,
            script=script,
            directory=self._kept if keep else self._place.new(),
            upgrade=keep,
        )
        vm = VM(script, engine=self._engine, world=world_of(settings), observer=self._observer)
        running = _Running(vm, settings)
        await deploy(running.vm, settings, running.sharing)
        return running

    async def _put(self, running: _Running | None, backend: Backend) -> None:
        """Serve a backend in the place of the one before, which ends with the call that it runs."""
        before, self._running = self._running, running
        if before is not None:
            before.vm.refuse_waiting()
        await self._server.replace("/", backend, drain_seconds=None)
        if before is not None:
            await before.close()
            if not self._wish.keep:
                await asyncio.to_thread(self._place.discard, before.directory)

    def _explain(self, error: NodeVMSError) -> None:
        hint = f"\n{error.hint}" if error.hint else ""
        _LOG.error("%s", printable(f"{error}{hint}\nCalls are refused until {self._name} changes."))

    def _failing(self) -> list[asyncio.Future[NodeVMSError]]:
        return [asyncio.ensure_future(self._running.vm.failure())] if self._running else []

    def _refuse_waiting(self) -> None:
        if self._running is not None:
            self._running.vm.refuse_waiting()

    @property
    def _name(self) -> str:
        return self._wish.path.name
