"""JSON-RPC 2.0 without I/O, the half that writes: how calls ended to bytes.

Results and errors are copied as the guest wrote them. The shapes are those of the server of 2017,
so that its client resolves and rejects as it did there.
"""

from __future__ import annotations

import msgspec

from nodevms.json_text import hide_surrogates, show_surrogates
from nodevms.rpc.codes import THROWN_ERROR, THROWN_FALSY, Fault
from nodevms.rpc.jsonrpc import FALSY
from nodevms.rpc.read_at import encode_read_at
from nodevms.vm.requests import Answer

_ABSENT = msgspec.Raw(b"")


class _Thrown(msgspec.Struct, gc=False):
    name: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT
    code: msgspec.Raw = _ABSENT
    value: msgspec.Raw = _ABSENT


_decode_thrown = msgspec.json.Decoder(_Thrown).decode


def encode_fault(request_id: bytes, fault: Fault) -> bytes:
    """Return the text of an answer that says why a request was not run."""
    return b'{"jsonrpc":"2.0","error":%b,"id":%b}' % (fault.encode(), request_id)


def encode_result(request_id: bytes, result: bytes) -> bytes:
    """Return the text of an answer of the server itself, such as a handshake's."""
    return b'{"jsonrpc":"2.0","result":%b,"id":%b}' % (result, request_id)


def encode_answer(request_id: bytes, answer: Answer, *, with_entry: bool) -> bytes:
    """Return the text of a call's answer.

    Args:
        request_id: JSON text of the request's id.
        answer: How the call ended.
        with_entry: Add what only our own clients know: ``epoch``, and ``seq`` of a call that is
            logged or ``readonly`` of one that is not.
    """
    entry = _entry_of(answer) if with_entry else b""
    if answer.error is not None:
        error = error_member(answer.error, answer.stack)
        return b'{"jsonrpc":"2.0","error":%b,"id":%b%b}' % (error, request_id, entry)
    if answer.result is None:
        return b'{"jsonrpc":"2.0","id":%b%b}' % (request_id, entry)
    return b'{"jsonrpc":"2.0","result":%b,"id":%b%b}' % (answer.result, request_id, entry)


def encode_batch(answers: list[bytes]) -> bytes:
    """Return the text of a batch's answers, in order."""
    return b"[%b]" % b",".join(answers)


def _entry_of(answer: Answer) -> bytes:
    text = b',"epoch":%d' % answer.epoch
    if answer.seq is not None:
        text = b',"seq":%d%b' % (answer.seq, text)
    if answer.read_at is not None:
        text += b',"readonly":%b' % encode_read_at(answer.read_at)
    return text


def error_member(thrown: bytes, stack: str | None = None) -> bytes:
    """Turn an entry's ``err`` into an ``error`` member that the 2017 client rejects with.

    That client takes a falsy ``error`` for success, so a thrown falsy value is wrapped.
    """
    err = _decode_thrown(hide_surrogates(thrown))
    name, message, value = bytes(err.name), bytes(err.message), bytes(err.value)
    if name or message:
        code = b',"errorCode":%b' % bytes(err.code) if bytes(err.code) else b""
        frames = b',"stack":%b' % msgspec.json.encode(stack) if stack else b""
        shape = (THROWN_ERROR, name or b'"Error"', message or b'""', code)
        return show_surrogates(b'{"code":%d,"message":%b,"data":%b%b' % shape) + frames + b"}"
    if value not in FALSY:
        return show_surrogates(value)
    spoken = value.decode() if value else "undefined"
    data = b',"data":%b' % value if value else b""
    sentence = msgspec.json.encode(f"The script threw {spoken}")
    return b'{"code":%d,"message":%b%b}' % (THROWN_FALSY, sentence, data)
