"""The decoder meets whatever bytes a client may send, and never lets broken JSON through."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from nodevms.json_text import compact, deeper_than, hide_surrogates, outline, show_surrogates
from nodevms.rpc import Limits
from nodevms.rpc.jsonrpc import Message, Refusal, Request, decode

LIMITS = Limits(arguments_bytes_max=400, depth_max=6, batch_items_max=5, id_bytes_max=20)

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec=None), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)
SPACES = st.text(" \t\r\n", max_size=3)
FRAGMENTS = st.sampled_from(
    [
        *('{"jsonrpc":"2.0"', ',"method":"f"', ',"params":', ',"id":', "[", "]", "{", "}", '"'),
        *("1", "0", "-", ".", "e", "null", "true", ",", ":", " ", "\n", "~", "é"),
        *("\\", "\\ud800", "\\u0041"),
    ]
)


@st.composite
def spaced(draw: st.DrawFn) -> tuple[object, str]:
    """A value and a text of it with random insignificant whitespace."""

    def write(value: object) -> str:
        before, after = draw(SPACES), draw(SPACES)
        if isinstance(value, list):
            text = f"[{','.join(map(write, value))}{draw(SPACES)}]"
        elif isinstance(value, dict):
            members = (f"{write(name)}:{write(member)}" for name, member in value.items())
            text = f"{{{','.join(members)}{draw(SPACES)}}}"
        else:
            text = json.dumps(value)
        return before + text + after

    value = draw(VALUES)
    return value, write(value)


def depth(value: object) -> int:
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(spaced())
def test_compacting_is_removing_whitespace_and_nothing_else(pair: tuple[object, str]) -> None:
    value, text = pair
    assert compact(text.encode()) == json.dumps(value, separators=(",", ":")).encode()


@given(VALUES, st.integers(0, 8))
def test_depth_is_counted_right(value: object, depth_max: int) -> None:
    assert deeper_than(json.dumps(value).encode(), depth_max) == (depth(value) > depth_max)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_an_outline_keeps_what_is_not_nested(members: dict[str, object]) -> None:
    flat = {
        name: 0 if isinstance(member, list | dict) else member for name, member in members.items()
    }
    assert json.loads(outline(json.dumps(members).encode())) == flat


@given(st.lists(FRAGMENTS, max_size=30).map("".join))
def test_hidden_surrogates_come_back(text: str) -> None:
    data = text.encode()
    hidden = hide_surrogates(data)
    assert len(hidden) == len(data)
    assert show_surrogates(hidden) == data


def check(message: Message) -> None:
    assert message.items
    assert message.is_batch or len(message.items) == 1
    assert len(message.items) <= LIMITS.batch_items_max
    for item in message.items:
        if isinstance(item, Refusal):
            json.loads(item.fault.encode())
            assert not isinstance(json.loads(item.id), list | dict | bool)
            continue
        arguments = json.loads(item.arguments, parse_constant=_refuse)
        assert isinstance(arguments, list)
        assert len(item.arguments) <= LIMITS.arguments_bytes_max
        assert depth(arguments) <= LIMITS.depth_max
        assert item.method
        if item.id is not None:
            assert not isinstance(json.loads(item.id), list | dict | bool)
            assert len(item.id) <= LIMITS.id_bytes_max


def _refuse(constant: str) -> object:
    raise AssertionError(f"{constant} is not JSON")


@settings(max_examples=500)
@given(st.lists(FRAGMENTS, max_size=30).map("".join) | st.text(max_size=50))
def test_whatever_text_comes_is_requests_or_refusals(text: str) -> None:
    check(decode(text.encode(), LIMITS))


MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | VALUES,
        "method": TEXTS | VALUES,
        "params": VALUES,
        "id": NUMBERS | TEXTS | VALUES,
        "other": VALUES,
    },
)


@settings(max_examples=500)
@given(MEMBERS | st.lists(MEMBERS, max_size=7) | VALUES, st.booleans())
def test_whatever_json_comes_is_requests_or_refusals(value: object, indent: bool) -> None:
    check(decode(json.dumps(value, indent=1 if indent else None).encode(), LIMITS))


@given(st.lists(VALUES, max_size=5), TEXTS.filter(bool), NUMBERS | TEXTS | st.none())
def test_a_proper_request_is_understood(
    params: list[object], method: str, identity: float | str | None
) -> None:
    members = {"jsonrpc": "2.0", "method": method, "params": params, "id": identity}
    (item,) = decode(json.dumps(members).encode(), Limits()).items
    assert isinstance(item, Request)
    assert item.arguments == json.dumps(params, separators=(",", ":")).encode()
    assert item.id == json.dumps(identity).encode()
    assert item.method == method
