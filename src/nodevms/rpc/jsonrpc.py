"""JSON-RPC 2.0 without I/O, the half that reads: bytes to requests.

Requests come from strangers; every length and count has a ceiling. Arguments and ids
stay JSON text from end to end, because Python's numbers and strings are not JavaScript's.
What is refused, and how, follows the server of 2017 (see docs/rpc.md), whose order of checks this
keeps; where it had a choice that JSON-RPC 2.0 forbids (id 0 was a notification), the standard wins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from nodevms.json_text import compact, deeper_than, hide_surrogates, outline, show_surrogates
from nodevms.rpc.codes import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    PARSE_ERROR,
    Fault,
)
from nodevms.rpc.limits import Limits

NO_ID = b"null"
_ABSENT = msgspec.Raw(b"")
FALSY = frozenset((b"", b"null", b"false", b'""', b"0", b"-0"))
"""JSON texts (and the absence of one) that JavaScript takes for false."""

_OUTLINED_BRACKETS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request.

    Attributes:
        method: The name as sent; nobody has checked that it exists.
        arguments: JSON text of an array, without insignificant whitespace.
        id: JSON text of a string, a number or null; None for a notification.
    """

    method: str
    arguments: bytes
    id: bytes | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is answered with an error before anybody looks at its method."""

    fault: Fault
    id: bytes = NO_ID


Item: TypeAlias = Request | Refusal


@dataclass(frozen=True, slots=True)
class Message:
    """What one message asks for; never empty.

    Attributes:
        items: The requests in order. Exactly one if this is no batch.
        is_batch: Whether the answer is an array.
    """

    items: tuple[Item, ...]
    is_batch: bool = False


class _Call(msgspec.Struct, gc=False):
    """The usual request; what does not fit is looked at member by member."""

    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = _ABSENT
    id: msgspec.Raw = _ABSENT


class _Members(msgspec.Struct, gc=False):
    jsonrpc: msgspec.Raw = _ABSENT
    method: msgspec.Raw = _ABSENT
    params: msgspec.Raw = _ABSENT
    id: msgspec.Raw = _ABSENT


_decode_call = msgspec.json.Decoder(_Call).decode
_decode_members = msgspec.json.Decoder(_Members).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_string = msgspec.json.Decoder(str).decode


def decode(data: bytes, limits: Limits) -> Message:
    """Read one message; never raises for what a client can send.

    Args:
        data: The message; the caller has checked that it is UTF-8.
        limits: The ceilings.
    """
    if len(data) > limits.message_bytes_max:
        sentence = (
            f"The message has {len(data):,} bytes; the limit for a message is "
            f"{limits.message_bytes_max:,} (for arguments {limits.arguments_bytes_max:,})."
        )
        return _refused(Fault(LIMIT_EXCEEDED, sentence), _id_of(data, limits))
    is_batch = data.lstrip(b" \t\r\n").startswith(b"[")
    # Around the arguments stand the request's bracket and, in a batch, the batch's.
    if deeper_than(data, limits.depth_max + 1 + is_batch):
        return _refused(_too_deep(limits), NO_ID if is_batch else _id_outside(data, limits))
    try:
        text = hide_surrogates(data)
        if not is_batch:
            return Message((_item(text, limits),))
        return _batch(_decode_items(text), limits)
    except msgspec.DecodeError as error:
        return _refused(Fault(PARSE_ERROR, str(error)))


def _refused(fault: Fault, request_id: bytes = NO_ID) -> Message:
    return Message((Refusal(fault, request_id),))


def _too_deep(limits: Limits) -> Fault:
    return Fault(LIMIT_EXCEEDED, f"The arguments are nested deeper than {limits.depth_max} levels.")


def _batch(items: list[msgspec.Raw], limits: Limits) -> Message:
    if not items:
        return _refused(Fault(INVALID_REQUEST, "Invalid array"))
    if len(items) > limits.batch_items_max:
        sentence = (
            f"The batch has {len(items):,} requests; the limit is {limits.batch_items_max:,}."
        )
        return _refused(Fault(LIMIT_EXCEEDED, sentence))
    return Message(tuple(_item(bytes(item), limits) for item in items), is_batch=True)


def _item(text: bytes, limits: Limits) -> Item:
    try:
        call = _decode_call(text)
    except (msgspec.ValidationError, UnicodeDecodeError):
        return _explained(text, limits)
    if not call.method:
        return _explained(text, limits)
    request_id = bytes(call.id)
    params = bytes(call.params)
    if not request_id.isdigit() or len(request_id) > limits.id_bytes_max:
        return _checked_id(call.method, params, request_id, limits)
    return _with_arguments(call.method, params, request_id, limits)


def _explained(text: bytes, limits: Limits) -> Item:
    """Name what is wrong with an object or value that is not the usual request."""
    try:
        members = _decode_members(text)
    except msgspec.ValidationError:
        return Refusal(Fault(INVALID_REQUEST))
    request_id = _answerable(bytes(members.id), limits)
    if _string(bytes(members.jsonrpc)) != "2.0":
        return Refusal(Fault(INVALID_REQUEST, "Invalid JSON RPC version"), request_id)
    if bytes(members.method) in FALSY:
        return Refusal(Fault(INVALID_PARAMS, "Method not specified"), request_id)
    method = _string(bytes(members.method))
    if method is None:
        return Refusal(Fault(INVALID_REQUEST, "Invalid method name"), request_id)
    return _checked_id(method, bytes(members.params), bytes(members.id), limits)


def _string(text: bytes) -> str | None:
    if not text.startswith(b'"'):
        return None
    # msgspec has no way to write a lone surrogate; json has, and no method has one in its name.
    return str(json.loads(show_surrogates(text))) if b"\xff" in text else _decode_string(text)


def _checked_id(method: str, params: bytes, request_id: bytes, limits: Limits) -> Item:
    if not request_id:
        return _with_arguments(method, params, None, limits)
    if request_id != NO_ID and _answerable(request_id, limits) == NO_ID:
        kinds = f"a string, a number or null of at most {limits.id_bytes_max} bytes"
        return Refusal(Fault(INVALID_REQUEST, f"The id must be {kinds}."))
    return _with_arguments(method, params, show_surrogates(request_id), limits)


def _answerable(request_id: bytes, limits: Limits) -> bytes:
    """Return the id's text if an answer may repeat it, otherwise ``null``."""
    if not request_id or len(request_id) > limits.id_bytes_max or request_id[0] in b"tf[{":
        return NO_ID
    return show_surrogates(request_id)


def _with_arguments(
    method: str, params: bytes, request_id: bytes | None, limits: Limits
) -> Request | Refusal:
    if params == b"[]" or not params or params == b"null":
        return Request(method, b"[]", request_id)
    answer_id = NO_ID if request_id is None else request_id
    if params[0] != ord("["):
        if params[0] == ord('"'):
            return Refusal(Fault(INVALID_REQUEST, "params must be an array."), answer_id)
        hint = "params must be an array; the arguments go by position, as in [1, 2]."
        return Refusal(Fault(INVALID_PARAMS, hint), answer_id)
    arguments = show_surrogates(compact(params))
    if len(arguments) > limits.arguments_bytes_max:
        sentence = (
            f"The arguments have {len(arguments):,} bytes; "
            f"the limit is {limits.arguments_bytes_max:,}."
        )
        return Refusal(Fault(LIMIT_EXCEEDED, sentence), answer_id)
    return Request(method, arguments, request_id)


def _id_of(data: bytes, limits: Limits) -> bytes:
    """Find the id of a message that is refused for its size; ``null`` where that is costly."""
    try:
        return _answerable(bytes(_decode_members(data).id), limits)
    except (msgspec.DecodeError, RecursionError):
        return NO_ID


def _id_outside(data: bytes, limits: Limits) -> bytes:
    if data.count(b"[") + data.count(b"{") > _OUTLINED_BRACKETS_MAX:
        return NO_ID
    return _id_of(hide_surrogates(outline(data)), limits)
