from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from msgspec import Raw

from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.vm.entries import (
    ENTRY_BYTES_MAX,
    Call,
    CallInfo,
    ChangeItem,
    Entry,
    Init,
    Restart,
    Result,
    Upgrade,
    decode,
    encode,
    time_of,
)
from nodevms.vm.limits import Limits

START = {"v": 1, "engine": "sha256:00", "hostApi": 1, "limits": Limits(), "time": 5}
WRITTEN = Result(
    res=Raw(b'{"a":[1,"\\ud800"]}'),
    gas=10,
    changes=(
        ChangeItem(path="/é", kind="folder"),
        ChangeItem(path="/é/f", kind="file", size=1, sha256="0" * 64, block=3),
        ChangeItem(path="/x", kind="deleted"),
    ),
    filesVersion=2,
    filesRoot="0" * 64,
)
PLAIN = Result(gas=1, filesVersion=0)
ENTRIES: list[Entry] = [
    Init(
        code="exports.f = 1 // é\u2028",
        filesArchiveUrl="dat://" + "0" * 64,
        contentKey="0" * 64,
        title='"quoted"',
        debug=False,
        seed="0" * 16,
        result=WRITTEN,
        **START,  # type: ignore[arg-type]
    ),
    Restart(result=PLAIN, **START),  # type: ignore[arg-type]
    Upgrade(code="", result=PLAIN, **START),  # type: ignore[arg-type]
    Call(
        call=CallInfo(userId=None, methodName="f", args=Raw(b"[]"), time=7, seed="0" * 16),
        result=WRITTEN,
    ),
    Call(
        call=CallInfo(userId="bob", methodName="é", args=Raw(b'["\\udfff",1e400]'), time=7),
        result=Result(err=Raw(b'{"name":"E\\ud83d"}'), gas=1, filesVersion=0),
    ),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    block = encode(entry)
    assert block.endswith(b"}\n")
    assert block.count(b"\n") == 1
    assert encode(decode(block)) == block
    assert type(decode(block)) is type(entry)
    assert time_of(decode(block)) == time_of(entry)


def test_a_call_is_written_like_this() -> None:
    call = CallInfo(userId=None, methodName="increment", args=Raw(b"[]"), time=7)
    assert encode(Call(call=call, result=Result(res=Raw(b"1"), gas=9, filesVersion=0))) == (
        b'{"type":"call","call":{"userId":null,"methodName":"increment","args":[],"time":7},'
        b'"result":{"res":1,"gas":9,"filesVersion":0}}\n'
    )


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
@pytest.mark.parametrize(
    "respell",
    [
        lambda b: b" " + b,
        lambda b: b[:-1],
        lambda b: b[:-1] + b" \n",
        lambda b: b + b"\n",
        lambda b: b + b,
        lambda b: b.replace(b":", b": ", 1),
        lambda b: b.replace(b'"type"', b'"typ\\u0065"'),
        lambda b: b.replace(b'"gas":', b'"gas":0,"gas":'),
        lambda b: b.replace(b'"gas":', b'"more":0,"gas":'),
        lambda b: b.replace(b'"gas":', b'"gas":-0'),
        lambda b: b.replace(b'"gas":1', b'"gas":1.0').replace(b'"gas":1.00', b'"gas":10.0'),
        lambda b: b.replace(b'"filesVersion":', b'"filesVersion":"').replace(b"}", b'"}', 1),
        lambda b: b.replace(b'"type":"', b'"type":"x'),
        lambda b: b"[" + b[:-1] + b"]\n",
        lambda b: b[: len(b) // 2],
        lambda b: b.replace(b'"gas"', b'"g\xff"'),
        lambda b: b.replace(b'"gas"', b'"g\x00"'),
    ],
)
def test_an_entry_has_one_spelling_only(entry: Entry, respell: Callable[[bytes], bytes]) -> None:
    block = respell(encode(entry))
    assert block != encode(entry)
    with pytest.raises(ProvedFalseError):
        decode(block)


@pytest.mark.parametrize("entry", ENTRIES[3:])
def test_keys_have_an_order(entry: Entry) -> None:
    text = json.loads(encode(entry))
    turned = dict(reversed(text.items()))
    block = json.dumps(turned, separators=(",", ":"), ensure_ascii=False)
    with pytest.raises(ProvedFalseError):
        decode(block.encode("utf-8", "surrogatepass") + b"\n")


@pytest.mark.parametrize(
    "arguments", [b"[ ]", b"[1, 2]", b"[\t1]", b'[{"a" :1}]', b"[1]\r", b"[[\n]]"]
)
def test_arguments_have_no_white_space_between_tokens(arguments: bytes) -> None:
    block = encode(ENTRIES[3]).replace(b'"args":[]', b'"args":' + arguments)
    with pytest.raises(ProvedFalseError):
        decode(block)


def test_arguments_keep_their_own_spelling() -> None:
    arguments = b'["\\u0061 b",1.0,1E5,{"a":1,"a":2},-0,"\\/"]'
    block = encode(ENTRIES[3]).replace(b'"args":[]', b'"args":' + arguments)
    entry = decode(block)
    assert isinstance(entry, Call)
    assert bytes(entry.call.args) == arguments


@pytest.mark.parametrize("extra", [b"", b'"more":{"of":[1]},'])
@pytest.mark.parametrize("entry", ENTRIES[:3], ids=lambda entry: type(entry).__name__)
def test_a_newer_format_is_not_called_false(entry: Entry, extra: bytes) -> None:
    block = encode(entry).replace(b'"v":1,', b'"v":2,' + extra)
    with pytest.raises(CouldNotCheckError) as caught:
        decode(block)
    assert caught.value.code == "unknown-format"
    assert caught.value.hint


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused_without_harm(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"1}"
    block = encode(ENTRIES[3])
    deep = block.replace(b"[]", b"[" + opening * 200_000 + closing * 200_000 + b"]", 1)
    for hostile in (deep, opening * 500_000):
        with pytest.raises(ProvedFalseError):
            decode(hostile)


def test_an_entry_that_is_too_long_is_refused() -> None:
    block = encode(ENTRIES[3]).replace(b"[]", b'["' + b"x" * ENTRY_BYTES_MAX + b'"]')
    with pytest.raises(ProvedFalseError, match="more than an entry may have"):
        decode(block)


@pytest.mark.parametrize("block", [b"", b"\n", b"null\n", b"{}\n", b"1\n", b'"call"\n', b"\x00"])
def test_what_is_no_entry_is_refused(block: bytes) -> None:
    with pytest.raises(ProvedFalseError):
        decode(block)


@pytest.mark.parametrize("number", [b"-1", b"9007199254740992", b"1" * 400])
@pytest.mark.parametrize("name", [b"time", b"gas", b"filesVersion", b"size", b"block"])
def test_numbers_have_bounds(name: bytes, number: bytes) -> None:
    block = encode(ENTRIES[3])
    start = block.index(b'"%b":' % name) + len(name) + 3
    end = min(block.index(mark, start) for mark in (b",", b"}") if mark in block[start:])
    with pytest.raises(ProvedFalseError):
        decode(block[:start] + number + block[end:])
