"""How messages are spelled in protobuf, both ways.

By hand and not with Google's library, for one reason: that makes all of a message before anybody
can look at it, and 8 MiB of empty nodes become hundreds of megabytes. Here a list ends where its
bound is, and a block of 64 KiB is copied once. Unknown fields are skipped, as protobuf does;
everything that is known is within its bounds or refused.

Spec: protobuf's wire format; the schema of hypercore-protocol 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nodevms.dat.wire import messages
from nodevms.dat.wire.varint import decode_varint, encode_varint
from nodevms.errors import RemoteProtocolError
from nodevms.feed import Node

FIELDS_MAX = 512
"""How many fields a message may have, unknown ones included."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


@dataclass(frozen=True, slots=True)
class _Field:
    """How one attribute is spelled.

    Attributes:
        name: The attribute.
        wire: Its wire type.
        read: Makes the value of what was decoded, or raises.
        write: Makes the integer or the bytes of the value.
        default: The value that is not written and stands where the field is missing.
        required: The message makes no sense without it.
        count_max: How many there may be if the field repeats, else 0.
    """

    name: str
    wire: int
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = lambda value: value
    default: Any = None
    required: bool = False
    count_max: int = 0


def _fail(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"A message is wrong: {what}.", code="dat-message")


def _up_to(limit: int) -> Callable[[int], int]:
    def read(value: int) -> int:
        if value > limit:
            raise _fail(f"{value} is out of bounds")
        return value

    return read


def _sized(*sizes: int) -> Callable[[bytes], bytes]:
    def read(value: bytes) -> bytes:
        if len(value) not in sizes:
            raise _fail(f"{len(value)} bytes where there should be {sizes[-1]}")
        return value

    return read


def _at_most(limit: int) -> Callable[[bytes], bytes]:
    def read(value: bytes) -> bytes:
        if len(value) > limit:
            raise _fail(f"{len(value)} bytes are more than {limit}")
        return value

    return read


def _name(value: bytes) -> str:
    return _at_most(messages.EXTENSION_NAME_BYTES_MAX)(value).decode(errors="replace")


def _read_node(value: bytes) -> Node:
    # As all known peers spell it: every block brings several nodes, so they must not cost much.
    if value[:1] == b"\x08":
        number, place = decode_varint(value, 1, len(value))
        hash_end = place + 34
        if value[place : place + 2] == b"\x12\x20" and value[hash_end : hash_end + 1] == b"\x18":
            bytes_under, place = decode_varint(value, hash_end + 1, len(value))
            if place == len(value) and max(number, bytes_under) <= messages.INDEX_MAX:
                return Node(number, value[hash_end - 32 : hash_end], bytes_under)
    fields = dict(_fields(value, 0, len(value)))
    index, hash_, size = fields.get(1), fields.get(2), fields.get(3)
    if not (isinstance(index, int) and isinstance(hash_, bytes) and isinstance(size, int)):
        raise _fail("a node lacks its index, hash or size")
    if index > messages.INDEX_MAX or size > messages.INDEX_MAX or len(hash_) != 32:
        raise _fail("a node is out of bounds")
    return Node(index, hash_, size)


def _write_node(node: Node) -> bytes:
    index, size = encode_varint(node.index), encode_varint(node.size)
    return b"\x08" + index + b"\x12\x20" + node.hash + b"\x18" + size


_index = _up_to(messages.INDEX_MAX)
_INDEX = _Field("index", _VARINT, _index, required=True)
_START = _Field("start", _VARINT, _index, required=True)
_ONE = _Field("length", _VARINT, _index, default=1)
_ALL = _Field("length", _VARINT, _index, default=0)
_SEEK = _Field("bytes", _VARINT, _index, default=0)
_HASH = _Field("hash", _VARINT, bool, int, default=False)
_DIGEST = _Field("nodes", _VARINT, int, default=0)
_SIGNATURE = _Field("signature", _BYTES, _sized(0, 64), default=b"")
_NODES = _Field(
    "nodes", _BYTES, _read_node, _write_node, default=(), count_max=messages.PROOF_NODES_MAX
)

_SCHEMAS: dict[type, dict[int, _Field]] = {
    messages.Feed: {
        1: _Field("discovery_key", _BYTES, _sized(32), required=True),
        2: _Field("nonce", _BYTES, _sized(0, 24), default=b""),
    },
    messages.Handshake: {
        1: _Field("id", _BYTES, _sized(0, 32), default=b""),
        2: _Field("live", _VARINT, bool, int, default=False),
        3: _Field("user_data", _BYTES, _at_most(messages.USER_DATA_BYTES_MAX), default=b""),
        4: _Field(
            "extensions",
            _BYTES,
            _name,
            str.encode,
            default=(),
            count_max=messages.EXTENSIONS_MAX,
        ),
        5: _Field("ack", _VARINT, bool, int, default=False),
    },
    messages.Info: {
        1: _Field("uploading", _VARINT, bool, int),
        2: _Field("downloading", _VARINT, bool, int),
    },
    messages.Have: {
        1: _START,
        2: _ONE,
        3: _Field("bitfield", _BYTES, lambda code: code or b"\x00", default=b""),
        4: _Field("ack", _VARINT, bool, int, default=False),
    },
    messages.Unhave: {1: _START, 2: _ONE},
    messages.Want: {1: _START, 2: _ALL},
    messages.Unwant: {1: _START, 2: _ALL},
    messages.Request: {1: _INDEX, 2: _SEEK, 3: _HASH, 4: _DIGEST},
    messages.Cancel: {1: _INDEX, 2: _SEEK, 3: _HASH},
    messages.Data: {1: _INDEX, 2: _Field("value", _BYTES, bytes), 3: _NODES, 4: _SIGNATURE},
}


def encode(message: Any) -> list[bytes]:
    """Return the pieces of a message's body; long values are pieces of their own, not copied."""
    parts: list[bytes] = []
    for number, field in _SCHEMAS[type(message)].items():
        value = getattr(message, field.name)
        if value == field.default and not field.required:
            continue
        tag = number << 3 | field.wire
        for one in value if field.count_max else (value,):
            written = field.write(one)
            if field.wire == _VARINT:
                parts.append(bytes((tag,)) + encode_varint(written))
            else:
                parts += (bytes((tag,)) + encode_varint(len(written)), written)
    return parts


def decode(kind: type, data: bytes, start: int, end: int) -> Any:
    """Read a message's body.

    Args:
        kind: The class of the message.
        data: Bytes from outside.
        start: Where the body begins in them.
        end: Where it ends.

    Raises:
        RemoteProtocolError: It is no such message, or something in it is out of bounds
            (``dat-message``).
    """
    schema = _SCHEMAS[kind]
    values: dict[str, Any] = {field.name: field.default for field in schema.values()}
    for number, content in _fields(data, start, end):
        field = schema.get(number)
        if field is None:
            continue
        if isinstance(content, int) is not (field.wire == _VARINT):
            raise _fail(f"{field.name} has another type")
        value = field.read(content)
        if not field.count_max:
            values[field.name] = value
        elif len(values[field.name]) < field.count_max:
            if values[field.name] == field.default:
                values[field.name] = []
            values[field.name].append(value)
        else:
            raise _fail(f"more than {field.count_max} {field.name}")
    for field in schema.values():
        if field.required and values[field.name] is None:
            raise _fail(f"it has no {field.name}")
        if field.count_max:
            values[field.name] = tuple(values[field.name])
    return kind(**values)


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and content of each field between two places."""
    place = start
    for _ in range(FIELDS_MAX):
        if place == end:
            return
        tag = data[place]
        if tag < 0x80:
            place += 1
        else:
            tag, place = decode_varint(data, place, end)
        wire = tag & 7
        if wire == _VARINT:
            value = data[place] if place < end else 0x80
            if value < 0x80:
                place += 1
            else:
                value, place = decode_varint(data, place, end)
            yield tag >> 3, value
            continue
        if wire == _BYTES:
            size, place = decode_varint(data, place, end)
        elif wire in _FIXED_BYTES:
            size = _FIXED_BYTES[wire]
        else:
            raise _fail(f"wire type {wire} is unknown")
        if size > end - place:
            raise _fail("a field is longer than its message")
        place += size
        yield tag >> 3, data[place - size : place]
    if place != end:
        raise _fail(f"it has more than {FIELDS_MAX} fields")
