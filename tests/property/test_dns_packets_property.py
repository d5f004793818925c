"""No packet makes the reader of multicast DNS fail otherwise than by refusing it."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from nodevms.dat.discovery.dns_packets import (
    Packet,
    Question,
    Record,
    Service,
    Text,
    read_packet,
    write_packet,
)
from nodevms.dat.discovery.multicast_dns import FoundPeer, MulticastDns
from nodevms.errors import RemoteProtocolError

KEY = bytes(range(32))
LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=40)
NAME = st.one_of(
    st.sampled_from([f"{KEY[:20].hex()}.dat.local", f"{KEY[:20].hex()}.hyperswarm.local"]),
    st.lists(LABEL, min_size=1, max_size=4).map(".".join),
)
PORT = st.integers(0, 65535)
QUESTIONS = st.lists(st.builds(Question, NAME, PORT), max_size=5)
STRINGS = st.lists(st.binary(max_size=255), max_size=4).map(tuple)
RECORDS = st.lists(
    st.one_of(
        st.builds(Text, NAME, STRINGS),
        st.builds(Service, NAME, PORT, st.sampled_from(["0.0.0.0", "host.local"])),
    ),
    max_size=5,
)


def listener() -> MulticastDns:
    core = MulticastDns(b"i" * 32, lambda: 0.5)
    core.announce(KEY, 3282, 0.0)
    core.lookup(KEY, 0.0)
    return core


def hears(packet: bytes) -> list[FoundPeer]:
    core = listener()
    sent = len(core.due(0.0))
    assert sent == 2
    try:
        found = core.receive(1, packet, "192.168.1.7", 0.1)
    except RemoteProtocolError:
        return []
    assert len(core.due(0.1)) <= 1
    return found


@given(QUESTIONS, RECORDS, st.booleans())
def test_what_was_written_is_read(
    questions: list[Question], records: list[Record], response: bool
) -> None:
    packet = write_packet(questions=questions, records=records, response=response)
    assert read_packet(packet) == Packet(response, tuple(questions), tuple(records))


@given(
    QUESTIONS,
    RECORDS,
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=3)), max_size=6),
    st.integers(0, 2000),
)
def test_a_damaged_packet_is_refused_or_names_its_sender_alone(
    questions: list[Question],
    records: list[Record],
    response: bool,
    damage: list[tuple[int, bytes]],
    cut: int,
) -> None:
    packet = bytearray(write_packet(questions=questions, records=records, response=response))
    for at, written in damage:
        packet[at % len(packet) : at % len(packet) + len(written)] = written
    del packet[max(12, len(packet) - cut) :]
    for peer in hears(bytes(packet)):
        assert peer.host == "192.168.1.7"
        assert 0 < peer.port < 65536


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    hears(b"\x28" + KEY[:20].hex().encode() + data)
    hears(data[:12] + b"\x28" + KEY[:20].hex().encode() + data[12:])
    with contextlib.suppress(RemoteProtocolError):
        read_packet(data)
