"""Frames and varints, whatever the chunks are that they come in."""

from __future__ import annotations

import pytest

from nodevms.dat.wire.frames import FRAME_BYTES_MAX, FrameDecoder, frame
from nodevms.dat.wire.varint import VARINT_MAX, decode_varint, encode_varint
from nodevms.errors import RemoteProtocolError

FRAMES = [b"a", b"b" * 127, b"c" * 128, b"d" * 40_000, b"e"]


def decoded(decoder: FrameDecoder) -> list[bytes]:
    frames = []
    while (found := decoder.next()) is not None:
        data, start, end = found
        frames.append(data[start:end])
    return frames


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**53, VARINT_MAX])
def test_a_varint_comes_back(value: int) -> None:
    coded = encode_varint(value)
    assert decode_varint(b"?" + coded + b"?", 1, 1 + len(coded)) == (value, 1 + len(coded))


@pytest.mark.parametrize("coded", [b"", b"\x80", b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01"])
def test_a_varint_that_does_not_end_or_is_too_large_is_refused(coded: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_varint(coded, 0, len(coded))
    assert caught.value.code == "dat-varint"


@pytest.mark.parametrize("size", [1, 2, 3, 129, 5000, 100_000])
def test_frames_come_back_in_chunks_of_any_size(size: int) -> None:
    stream = b"\x00".join(b"".join(frame(content)) for content in FRAMES)
    decoder = FrameDecoder()
    frames = []
    for place in range(0, len(stream), size):
        decoder.add(stream[place : place + size])
        frames += decoded(decoder)
    assert frames == FRAMES
    assert decoder.keep_alives == len(FRAMES) - 1
    assert decoder.buffered_bytes == 0


def test_the_rest_can_be_taken_in_the_middle() -> None:
    decoder = FrameDecoder()
    decoder.add(b"\x01a\x05bc")
    assert decoded(decoder) == [b"a"]
    decoder.add(b"d")
    assert decoder.take_rest() == b"\x05bcd"
    decoder.add(b"\x01z")
    assert decoded(decoder) == [b"z"]


@pytest.mark.parametrize(
    "start", [encode_varint(FRAME_BYTES_MAX + 1), b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x01"]
)
def test_a_frame_above_the_limit_is_refused_before_it_is_there(start: bytes) -> None:
    decoder = FrameDecoder()
    decoder.add(start)
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.next()
    assert caught.value.code == "dat-frame"


def test_the_largest_frame_is_taken() -> None:
    decoder = FrameDecoder()
    decoder.add(encode_varint(FRAME_BYTES_MAX))
    assert decoder.next() is None
    decoder.add(bytes(FRAME_BYTES_MAX))
    assert decoded(decoder) == [bytes(FRAME_BYTES_MAX)]
