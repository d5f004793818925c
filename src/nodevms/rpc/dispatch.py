"""One backend's requests: messages in, texts of answers out, calls to the backend in between.

No task is made for a request: a call's future calls back. Requests of one connection enter the
backend's queue in the order in which they came; their answers leave as they are ready, and those
of a batch together. A call whose client has gone runs and is logged like every other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from nodevms.errors import NodeVMSError
from nodevms.rpc import answers, jsonrpc
from nodevms.rpc.backend import Answer, Backend
from nodevms.rpc.codes import (
    ANSWER_NOT_SENT,
    CLOSED,
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    OUTCOME_UNKNOWN,
    Fault,
    fault_of,
)
from nodevms.rpc.discover import OWN_METHODS, describe, handshake
from nodevms.rpc.jsonrpc import Item, Refusal, Request
from nodevms.rpc.limits import Limits
from nodevms.rpc.stand_in import StandIn

_log = logging.getLogger(__name__)

Deliver: TypeAlias = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Session:
    """Who sends requests, and how answers to them look.

    Attributes:
        caller: The caller of every request, or None for nobody.
        refusal: If set, every request is answered with it and none is run.
        with_entry: Answers name their ``epoch``, and their entry or what they were read at.
    """

    caller: str | None
    refusal: Fault | None = None
    with_entry: bool = False


class Dispatcher:
    """Answers the requests to one backend.

    What is fixed for a backend's life is read once, because a backend that recovers from a
    failure cannot say it.

    Attributes:
        backend: The backend.
        debug: Whether it believes callers' names.
        pending: Accepted calls that have no answer yet.
    """

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self.backend = backend
        self.debug = backend.debug
        self.pending = 0
        self._limits = limits
        self._refusal = Fault(CLOSED, backend.why) if isinstance(backend, StandIn) else None
        self._idle = asyncio.Event()
        self._idle.set()
        self._description: bytes | None = None
        self._own = {"handshake": handshake, "rpc.discover": self._describe}
        self._methods = {method.name for method in backend.methods} - OWN_METHODS

    def take(self, message: bytes, session: Session, deliver: Deliver) -> None:
        """Start everything that a message asks for.

        Args:
            message: One message; UTF-8 was checked.
            session: Who sent it.
            deliver: Called exactly once, with the text of the answer, or with nothing (at once)
                if the message holds only notifications.
        """
        decoded = jsonrpc.decode(message, self._limits)
        if decoded.is_batch:
            _Batch(decoded.items, self._limits.answer_bytes_max, deliver).start(self, session)
        else:
            self.start(decoded.items[0], session, deliver)

    def start(self, item: Item, session: Session, deliver: Deliver) -> None:
        """Start one request and deliver its answer when there is one."""
        if isinstance(item, Refusal):
            deliver(answers.encode_fault(item.id, item.fault))
            return
        outcome = self._begin(item, session)
        if isinstance(outcome, asyncio.Future):
            self.pending += 1
            self._idle.clear()
            outcome.add_done_callback(partial(self._finish, item.id, session, deliver))
        if item.id is None:
            deliver(b"")
        elif isinstance(outcome, Fault):
            deliver(answers.encode_fault(item.id, outcome))
        elif isinstance(outcome, bytes):
            deliver(answers.encode_result(item.id, outcome))

    def close(self) -> None:
        """Refuse all requests from now on; accepted ones still get their answers."""
        self._refusal = Fault(CLOSED, "The server is stopping. The call was not run.")

    async def idle(self) -> None:
        """Wait until every accepted call has been answered."""
        await self._idle.wait()

    def _describe(self, backend: Backend) -> bytes:
        """Make the description once: of a script with a thousand exports it takes its time."""
        if self._description is None:
            self._description = describe(backend)
        return self._description

    def _begin(self, request: Request, session: Session) -> asyncio.Future[Answer] | Fault | bytes:
        if session.refusal is not None:
            return session.refusal
        if self._refusal is not None:
            return self._refusal
        if request.method not in self._methods and request.method not in self._own:
            return Fault(METHOD_NOT_FOUND)
        try:
            if request.method in self._own:
                return self._own[request.method](self.backend)
            call = self.backend.call(request.method, request.arguments, session.caller)
            return asyncio.ensure_future(call)
        except Exception as error:  # whatever it is, the connection lives on
            return _fault(error)

    def _finish(
        self,
        request_id: bytes | None,
        session: Session,
        deliver: Deliver,
        future: asyncio.Future[Answer],
    ) -> None:
        self.pending -= 1
        if self.pending == 0:
            self._idle.set()
        if future.cancelled():
            text = answers.encode_fault(request_id or b"", _CANCELLED)
        elif (error := future.exception()) is not None:
            text = answers.encode_fault(request_id or b"", _fault(error))
        else:
            answer = future.result()
            text = answers.encode_answer(request_id or b"", answer, with_entry=session.with_entry)
        if request_id is not None:
            deliver(text)


_CANCELLED = Fault(OUTCOME_UNKNOWN, "The server stopped before the call's end was known.")


def _fault(error: BaseException) -> Fault:
    if isinstance(error, NodeVMSError):
        fault = fault_of(error.code, str(error))
        if fault.code != INTERNAL_ERROR:
            return fault
    _log.error("A call failed inside the server", exc_info=error)
    return Fault(INTERNAL_ERROR)


class _Batch:
    """Collects the answers of a batch, in order, within a size."""

    def __init__(self, items: tuple[Item, ...], bytes_max: int, deliver: Deliver) -> None:
        self._items = items
        self._bytes_left = bytes_max
        self._deliver = deliver
        self._texts = [b""] * len(items)
        self._missing = len(items)

    def start(self, dispatcher: Dispatcher, session: Session) -> None:
        for index, item in enumerate(self._items):
            dispatcher.start(item, session, partial(self._add, index))

    def _add(self, index: int, text: bytes) -> None:
        if len(text) > self._bytes_left:
            sentence = (
                "The answers of this batch are too large together. "
                "The call was run; unless it was read-only, its answer stands in the call log."
            )
            text = answers.encode_fault(
                self._items[index].id or b"null", Fault(ANSWER_NOT_SENT, sentence)
            )
        else:
            self._bytes_left -= len(text)
        self._texts[index] = text
        self._missing -= 1
        if self._missing == 0:
            texts = [text for text in self._texts if text]
            self._deliver(answers.encode_batch(texts) if texts else b"")
