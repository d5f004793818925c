"""Messages and bitmaps: spelled as protobuf spells them, refused when out of bounds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from nodevms.dat.wire import (
    Cancel,
    Data,
    Handshake,
    Have,
    Info,
    Request,
    Unhave,
    Unwant,
    Want,
    codec,
    decode_bitmap,
    encode_bitmap,
    messages,
)
from nodevms.dat.wire.varint import encode_varint
from nodevms.errors import RemoteProtocolError
from nodevms.feed import Node

HASH = bytes(range(32))
NODE = Node(3, HASH, 0)
ALL: list[tuple[Any, str]] = [
    (messages.Feed(HASH), "0a20" + HASH.hex()),
    (messages.Feed(HASH, b"n" * 24), "0a20" + HASH.hex() + "1218" + "6e" * 24),
    (Handshake(), ""),
    (
        Handshake(HASH, live=True, user_data=b"u", extensions=("a", "b"), ack=True),
        "0a20" + HASH.hex() + "1001" + "1a0175" + "220161" + "220162" + "2801",
    ),
    (Info(), ""),
    (Info(uploading=False, downloading=True), "08001001"),
    (Have(0), "0800"),
    (Have(300, 0), "08ac021000"),
    (Have(0, 8192, b"\x0b", ack=True), "08001080401a010b2001"),
    (Unhave(2**53 - 1), "08ffffffffffffff0f"),
    (Want(0), "0800"),
    (Want(8192, 8192), "088040108040"),
    (Unwant(1, 2), "08011002"),
    (Request(1), "0801"),
    (Request(1, 2, hash=True, nodes=2**64 - 1), "08011002180120ffffffffffffffffff01"),
    (Cancel(1, 2, hash=True), "080110021801"),
    (Data(0), "0800"),
    (Data(0, b""), "08001200"),
    (
        Data(5, b"block", (NODE,), b"s" * 64),
        "0805" + "1205626c6f636b" + "1a260803" + "1220" + HASH.hex() + "1800" + "2240" + "73" * 64,
    ),
]


def spelled(message: Any) -> bytes:
    return b"".join(codec.encode(message))


def read(kind: type, body: bytes) -> Any:
    return codec.decode(kind, b"?" + body + b"?", 1, 1 + len(body))


@pytest.mark.parametrize(("message", "text"), ALL, ids=lambda value: type(value).__name__)
def test_each_message_is_spelled_so_and_comes_back(message: Any, text: str) -> None:
    assert spelled(message).hex() == text
    assert read(type(message), bytes.fromhex(text)) == message


def test_unknown_fields_are_skipped_and_the_last_of_equal_ones_counts() -> None:
    unknown = "c03e05" + "c13e" + "00" * 8 + "c23e0161" + "c53e" + "00" * 4
    body = bytes.fromhex("0801" + unknown + "0802")
    assert read(Request, body) == Request(2)


def test_the_fields_of_a_node_may_come_in_any_order() -> None:
    usual = "0807" + "1220" + HASH.hex() + "188002"
    for node in (
        usual,
        "188002" + "1220" + HASH.hex() + "0807",
        "0801" + usual,
        usual + "c03e05",
        "08870018800012" + "20" + HASH.hex() + "188002",
    ):
        size = len(node) // 2
        assert read(Data, bytes.fromhex(f"08001a{size:02x}{node}")).nodes == (Node(7, HASH, 256),)


def test_an_empty_bitfield_is_told_apart_from_none() -> None:
    have = read(Have, bytes.fromhex("08001080401a00"))
    assert decode_bitmap(have.bitfield, 1024) == b""
    assert have.bitfield


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Request, ""),
        (Want, "1001"),
        (Request, "0880"),
        (Request, "088080808080808010"),
        (Request, "0a0131"),
        (Request, "09" + "00" * 8),
        (Request, "0b"),
        (Request, "0801" + "12ff"),
        (Have, "08001a05ff"),
        (messages.Feed, "0a1f" + "00" * 31),
        (messages.Feed, "0a20" + "00" * 32 + "120100"),
        (Handshake, "0a0100"),
        (Handshake, "2281 02".replace(" ", "") + "61" * 257),
        (Handshake, "2200" * 257),
        (Handshake, "1a818004" + "00" * 65537),
        (Data, "0800" + "220100"),
        (Data, "0800" + "1a00"),
        (Data, "0800" + "1a24" + "1220" + "00" * 32 + "1800"),
        (Data, "0800" + "1a25" + "0801" + "121f" + "00" * 31 + "1800"),
        (Data, "0800" + "1a2d" + "0801" + "1220" + "00" * 32 + "18" + "80" * 7 + "10"),
        (Info, "0801" * 513),
    ],
)
def test_a_message_out_of_bounds_is_refused(kind: type, text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(kind, bytes.fromhex(text))
    assert caught.value.code in {"dat-message", "dat-varint"}


def test_a_message_full_of_nodes_ends_at_their_bound() -> None:
    node = b"\x1a\x26" + b"\x08\x03\x12\x20" + HASH + b"\x18\x00"
    assert len(read(Data, b"\x08\x00" + node * 128).nodes) == 128
    body = b"\x08\x00" + node * 200_000
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="more than 128 nodes"):
            codec.decode(Data, body, 0, len(body))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("bitmap", "code"),
    [
        (b"", ""),
        (b"\xff" * 8, "23"),
        (bytes(300), "b109"),
        (b"\xaa\xaa" + bytes(4) + b"\xf0", "04aaaa" + "11" + "02f0"),
        (b"\x00\xff" * 3, "0c" + "00ff" * 3),
    ],
)
def test_a_bitmap_is_coded_so_and_comes_back(bitmap: bytes, code: str) -> None:
    assert encode_bitmap(bitmap).hex() == code
    assert decode_bitmap(bytes.fromhex(code), 1 << 20) == bitmap


def test_a_bitmap_that_claims_petabytes_gives_what_was_wanted() -> None:
    code = encode_varint(2**55 << 2 | 3)
    assert decode_bitmap(b"\x02a" + code * 1000, 1000) == b"a" + b"\xff" * 999
    assert decode_bitmap(code, 0) == b""


@pytest.mark.parametrize("code", [b"\x80", b"\x04a", b"\x01" * 17, b"\x00" * 17])
def test_a_bitmap_that_is_cut_off_or_says_nothing_is_refused(code: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_bitmap(code, 100)
    assert caught.value.code in {"dat-bitmap", "dat-varint"}
