"""The sans-I/O half: which bytes become which requests, and which answers which bytes."""

from __future__ import annotations

import json

import pytest

from nodevms.rpc import Answer, Limits
from nodevms.rpc.answers import encode_answer, encode_batch, encode_fault
from nodevms.rpc.codes import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    PARSE_ERROR,
    Fault,
    fault_of,
)
from nodevms.rpc.jsonrpc import Refusal, Request, decode

LIMITS = Limits()


def only(data: bytes, limits: Limits = LIMITS) -> Request | Refusal:
    message = decode(data, limits)
    assert not message.is_batch
    (item,) = message.items
    return item


def request(params: bytes, request_id: bytes = b"1") -> bytes:
    return b'{"jsonrpc":"2.0","method":"f","params":%b,"id":%b}' % (params, request_id)


@pytest.mark.parametrize(
    ("params", "arguments"),
    [
        (b"[]", b"[]"),
        (b"null", b"[]"),
        (b" [ ] ", b"[]"),
        (b'[1,"two",{"three":[3]},null]', b'[1,"two",{"three":[3]},null]'),
        (b'[ 1 ,\t"a b\\" c" ,\r\n{ "k k" : [ ] } ]', b'[1,"a b\\" c",{"k k":[]}]'),
        (
            b"[1.0, 1E+5, -0, 12345678901234567890, 1e400]",
            b"[1.0,1E+5,-0,12345678901234567890,1e400]",
        ),
        (b'["\\u0041\\/\\\\ud800 \xc3\xa9"]', b'["\\u0041\\/\\\\ud800 \xc3\xa9"]'),
        (b'["\\ud800", "\\uDC00\\uD83D\\uDE00" ]', b'["\\ud800","\\uDC00\\uD83D\\uDE00"]'),
        (b'[{"a":1,"a":2}]', b'[{"a":1,"a":2}]'),
    ],
)
def test_arguments_reach_the_guest_as_written_but_for_whitespace(
    params: bytes, arguments: bytes
) -> None:
    assert only(request(params)) == Request("f", arguments, b"1")


@pytest.mark.parametrize(
    "text", [b"1", b"0", b"-1.50e3", b'"abc"', b'"\\ud800"', b'" ~ "', b"null", b"1e400"]
)
def test_an_id_is_repeated_as_written(text: bytes) -> None:
    assert only(request(b"[]", text)) == Request("f", b"[]", text)


def test_a_request_without_id_is_a_notification() -> None:
    assert only(b'{"jsonrpc":"2.0","method":"f"}') == Request("f", b"[]", None)


@pytest.mark.parametrize(
    ("data", "code", "request_id"),
    [
        (b"not JSON", PARSE_ERROR, b"null"),
        (b"", PARSE_ERROR, b"null"),
        (b'{"jsonrpc":"2.0","method":"f","id":1', PARSE_ERROR, b"null"),
        (request(b"[01]"), PARSE_ERROR, b"null"),
        (request(b"[NaN]"), PARSE_ERROR, b"null"),
        (request(b'["\\x7e"]'), PARSE_ERROR, b"null"),
        (request(b'["\n"]'), PARSE_ERROR, b"null"),
        (request(b'["\\ud80"]'), PARSE_ERROR, b"null"),
        (request(b"[\\ud800]"), PARSE_ERROR, b"null"),
        (request(b"[1]]"), PARSE_ERROR, b"null"),
        (b"[]", INVALID_REQUEST, b"null"),
        (b"[ ]", INVALID_REQUEST, b"null"),
        (b"1", INVALID_REQUEST, b"null"),
        (b"null", INVALID_REQUEST, b"null"),
        (b'"f"', INVALID_REQUEST, b"null"),
        (b"{}", INVALID_REQUEST, b"null"),
        (b'{"method":"f","id":7}', INVALID_REQUEST, b"7"),
        (b'{"jsonrpc":2.0,"method":"f","id":7}', INVALID_REQUEST, b"7"),
        (b'{"jsonrpc":"1.0","method":"f","id":"x"}', INVALID_REQUEST, b'"x"'),
        (b'{"jsonrpc":"2.0","id":7}', INVALID_PARAMS, b"7"),
        (b'{"jsonrpc":"2.0","method":"","id":7}', INVALID_PARAMS, b"7"),
        (b'{"jsonrpc":"2.0","method":null,"id":7}', INVALID_PARAMS, b"7"),
        (b'{"jsonrpc":"2.0","method":7,"id":7}', INVALID_REQUEST, b"7"),
        (b'{"jsonrpc":"2.0","method":["f"],"id":7}', INVALID_REQUEST, b"7"),
        (request(b'"text"'), INVALID_REQUEST, b"1"),
        (request(b'{"a":1}'), INVALID_PARAMS, b"1"),
        (request(b"7"), INVALID_PARAMS, b"1"),
        (request(b"false"), INVALID_PARAMS, b"1"),
        (request(b"[]", b"[1]"), INVALID_REQUEST, b"null"),
        (request(b"[]", b"{}"), INVALID_REQUEST, b"null"),
        (request(b"[]", b"true"), INVALID_REQUEST, b"null"),
        (request(b"[]", b"1" * 257), INVALID_REQUEST, b"null"),
        (request(b"[]", b'"%b"' % (b"x" * 255)), INVALID_REQUEST, b"null"),
    ],
)
def test_bad_requests_are_refused(data: bytes, code: int, request_id: bytes) -> None:
    item = only(data)
    assert isinstance(item, Refusal)
    assert (item.fault.code, item.id) == (code, request_id)


def test_an_object_as_params_is_told_to_be_an_array() -> None:
    item = only(request(b'{"a":1}'))
    assert isinstance(item, Refusal)
    assert "array" in str(item.fault.data)


def test_a_lone_surrogate_in_the_method_is_just_another_unknown_name() -> None:
    item = only(b'{"jsonrpc":"2.0","method":"\\ud800","id":1}')
    assert isinstance(item, Request)
    assert item.id == b"1"


def test_arguments_are_measured_without_whitespace() -> None:
    limits = Limits(arguments_bytes_max=10)
    fits = only(request(b'[  "%b"   ]' % (b"x" * 6)), limits)
    assert isinstance(fits, Request)
    assert len(fits.arguments) == 10
    refused = only(request(b'["%b"]' % (b"x" * 7)), limits)
    assert isinstance(refused, Refusal)
    assert (refused.fault.code, refused.id) == (LIMIT_EXCEEDED, b"1")
    assert "11 bytes" in str(refused.fault.data)
    assert "limit is 10" in str(refused.fault.data)


def test_a_message_of_nine_mebibytes_names_sizes_and_keeps_its_id() -> None:
    data = request(b'["%b"]' % (b"x" * (9 << 20)), b"41")
    item = only(data)
    assert isinstance(item, Refusal)
    assert (item.fault.code, item.id) == (LIMIT_EXCEEDED, b"41")
    assert f"{len(data):,} bytes" in str(item.fault.data)
    assert "1,048,576" in str(item.fault.data)


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_bounded_to_the_bracket(pair: tuple[bytes, bytes]) -> None:
    opens, closes = pair

    def nested(levels: int) -> bytes:
        return request(b"[" + opens * (levels - 1) + b"1" + closes * (levels - 1) + b"]", b"9")

    assert isinstance(only(nested(128)), Request)
    for levels in (129, 200, 5_000):
        item = only(nested(levels))
        assert isinstance(item, Refusal)
        assert (item.fault.code, item.id) == (LIMIT_EXCEEDED, b"9")


def test_a_batch_that_nests_too_deeply_is_refused_whole() -> None:
    fits = b"[%b]" % request(b"[" * 128 + b"]" * 128)
    assert isinstance(decode(fits, LIMITS).items[0], Request)
    item = only(b"[%b,%b]" % (request(b"[" * 129 + b"]" * 129), request(b"[]")))
    assert isinstance(item, Refusal)
    assert (item.fault.code, item.id) == (LIMIT_EXCEEDED, b"null")


def test_brackets_in_strings_do_not_nest() -> None:
    item = only(request(b'["%b"]' % (b'[{\\"' * 1_000)))
    assert isinstance(item, Request)


def test_a_mebibyte_of_brackets_is_refused_without_recursion() -> None:
    item = only(b"[" * (1 << 20))
    assert isinstance(item, Refusal)
    assert item.fault.code == LIMIT_EXCEEDED


def test_a_batch_keeps_order_and_refuses_its_bad_items_alone() -> None:
    message = decode(b"[%b, 1 ,%b, []]" % (request(b"[1]"), request(b"[ 2 ]", b"2")), LIMITS)
    assert message.is_batch
    assert message.items[0] == Request("f", b"[1]", b"1")
    assert message.items[2] == Request("f", b"[2]", b"2")
    for index in (1, 3):
        item = message.items[index]
        assert isinstance(item, Refusal)
        assert (item.fault.code, item.id) == (INVALID_REQUEST, b"null")


def test_a_batch_has_at_most_a_thousand_requests() -> None:
    one = b'{"jsonrpc":"2.0","method":"f"}'
    assert len(decode(b"[%b]" % b",".join([one] * 1_000), LIMITS).items) == 1_000
    item = only(b"[%b]" % b",".join([one] * 1_001))
    assert isinstance(item, Refusal)
    assert item.fault.code == LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(b"[1.0]", None, 5, 2), b'"result":[1.0],"id":1'),
        (Answer(None, None, 5, 2), b'"id":1'),
        (
            Answer(None, b'{"name":"Error","message":"boom"}', 5, 2),
            b'"error":{"code":-32000,"message":"Error","data":"boom"},"id":1',
        ),
        (
            Answer(None, b'{"name":"E","message":"\\ud800","code":"out-of-gas"}', 5, 2),
            b'"error":{"code":-32000,"message":"E","data":"\\ud800","errorCode":"out-of-gas"},"id":1',
        ),
        (
            Answer(None, b'{"name":"E","message":"m","code":1}', 5, 2, "    at f (a.js:1:2)"),
            b'"error":{"code":-32000,"message":"E","data":"m","errorCode":1,'
            b'"stack":"    at f (a.js:1:2)"},"id":1',
        ),
        (Answer(None, b'{"value":7}', 5, 2, "frames"), b'"error":7,"id":1'),
        (Answer(None, b'{"value":"text"}', 5, 2), b'"error":"text","id":1'),
        (Answer(None, b'{"value":{"code":7.0}}', 5, 2), b'"error":{"code":7.0},"id":1'),
        (Answer(None, b'{"value":["\\udc00"]}', 5, 2), b'"error":["\\udc00"],"id":1'),
        (
            Answer(None, b"{}", 5, 2),
            b'"error":{"code":-32006,"message":"The script threw undefined"},"id":1',
        ),
        (
            Answer(None, b'{"value":0}', 5, 2),
            b'"error":{"code":-32006,"message":"The script threw 0","data":0},"id":1',
        ),
    ],
)
def test_answers_have_the_shapes_of_2017(answer: Answer, text: bytes) -> None:
    assert encode_answer(b"1", answer, with_entry=False) == b'{"jsonrpc":"2.0",%b}' % text
    named = encode_answer(b"1", answer, with_entry=True)
    assert named == b'{"jsonrpc":"2.0",%b,"seq":5,"epoch":2}' % text


def test_faults_and_batches_are_json() -> None:
    fault = encode_fault(b'"x"', Fault(PARSE_ERROR, "it's \u2028 broken"))
    (parsed,) = json.loads(encode_batch([fault]))
    error = {"code": -32700, "message": "Parse error", "data": "it's \u2028 broken"}
    assert parsed == {"jsonrpc": "2.0", "error": error, "id": "x"}


def test_the_full_queue_says_what_the_original_said() -> None:
    sentence = "Too many active requests. Try again in a few minutes."
    error = json.loads(fault_of("queue-full", "whatever").encode())
    assert error == {"code": -32002, "message": sentence, "data": sentence}


def test_an_unknown_failure_keeps_its_sentence_to_itself() -> None:
    error = json.loads(fault_of("storage", "/secret/path: disk full").encode())
    assert error == {"code": -32603, "message": "Internal error"}
