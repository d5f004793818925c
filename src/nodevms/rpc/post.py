"""HTTP POST: one JSON-RPC message in the body, its answer in the response."""

from __future__ import annotations

import asyncio

from aiohttp import web

from nodevms.rpc import answers
from nodevms.rpc.codes import LIMIT_EXCEEDED, PARSE_ERROR, Fault
from nodevms.rpc.dispatch import Dispatcher, Session
from nodevms.rpc.jsonrpc import NO_ID
from nodevms.rpc.limits import Limits


async def answer_post(
    request: web.Request, dispatcher: Dispatcher, session: Session, limits: Limits
) -> web.Response:
    """Run the message in a request's body.

    Returns:
        200 with the answer (JSON-RPC errors included), 204 if there is nothing to answer; 400,
        403, 408, 413 and 415 with a JSON-RPC error if the message was not looked at.
    """
    if request.content_type != "application/json":
        return _refusal(415, Fault(PARSE_ERROR, "Content-Type must be application/json."))
    if session.refusal is not None:
        return _refusal(403, session.refusal)
    body = await _body_of(request, limits)
    if isinstance(body, web.Response):
        return body
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def deliver(text: bytes) -> None:
        if not answered.done():
            answered.set_result(text)

    dispatcher.take(body, session, deliver)
    text = await answered
    return _json(200, text) if text else web.Response(status=204)


async def _body_of(request: web.Request, limits: Limits) -> bytes | web.Response:
    """Return the body, which is UTF-8, or the answer to one that is not taken."""
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await request.read()
            body.decode()
    except web.HTTPRequestEntityTooLarge:
        sentence = f"A message may have at most {limits.message_bytes_max:,} bytes."
        return _refusal(413, Fault(LIMIT_EXCEEDED, sentence))
    except ConnectionError:
        return _refusal(400, Fault(PARSE_ERROR, "The body did not arrive."))  # nobody reads this
    except TimeoutError:
        return _refusal(408, Fault(LIMIT_EXCEEDED, "The body did not arrive in time."))
    except UnicodeDecodeError:
        return _refusal(400, Fault(PARSE_ERROR, "The body must be UTF-8."))
    return body


def _refusal(status: int, fault: Fault) -> web.Response:
    return _json(status, answers.encode_fault(NO_ID, fault))


def _json(status: int, text: bytes) -> web.Response:
    return web.Response(status=status, body=text, content_type="application/json")
