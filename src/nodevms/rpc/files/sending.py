"""Sending a content piece by piece, as fast as its reader takes it, and nothing that is damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Final

from aiohttp import web

from nodevms.errors import NodeVMSError
from nodevms.rpc.files.turns import Turns

_PIECES_AT_ONCE: Final = 4
"""Of 65,536 bytes: what one reader costs in memory, beside what its connection buffers."""
_REPORTED_MAX: Final = 1_000
_log: Final = logging.getLogger("nodevms.rpc.files")


async def send_pieces(
    request: web.Request, response: web.StreamResponse, pieces: Iterator[bytes], sender: Sender
) -> web.StreamResponse:
    """Send a content; the response has its headers, ``Content-Length`` among them.

    Nothing is sent before the first pieces were read and checked. When a later one turns out to be
    damaged, the connection is broken off, so that the reader knows that it has not the whole.

    Raises:
        NodeVMSError: The first pieces could not be read; nothing was sent.
    """
    data = await sender.take(pieces)
    await response.prepare(request)
    try:
        while data:
            await response.write(data)
            data = await sender.take(pieces)
    except NodeVMSError as error:
        sender.report(error)
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


class Sender:
    """Takes pieces in turns with everybody else, and tells the operator of damage, once each."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._reported: set[str] = set()

    async def take(self, pieces: Iterator[bytes]) -> bytes:
        """Return the next pieces joined; empty at the end."""
        return await self._turns.run(lambda: b"".join(islice(pieces, _PIECES_AT_ONCE)))

    def report(self, error: NodeVMSError) -> None:
        """Write to the log that something could not be read, unless it stands there already."""
        text = str(error)
        if text not in self._reported and len(self._reported) < _REPORTED_MAX:
            self._reported.add(text)
            _log.error("a file could not be served: %s", text)
