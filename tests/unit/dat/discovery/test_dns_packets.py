"""Multicast DNS packets: what we write another library reads, and what is hostile is refused."""

from __future__ import annotations

import struct

import dns.flags
import dns.message
import dns.rrset
import pytest

from nodevms.dat.discovery.dns_packets import (
    PACKET_BYTES_MAX,
    RECORDS_MAX,
    SERVICE,
    TEXT,
    Packet,
    Question,
    Service,
    Text,
    read_packet,
    write_packet,
)
from nodevms.errors import RemoteProtocolError

NAME = "ab" * 20 + ".dat.local"
TXT = Text(NAME, (b"token=x", b"", b"peers=" + b"y" * 249))
SRV = Service(NAME, 3282, "0.0.0.0")


def header(questions: int = 0, answers: int = 0, flags: int = 0x8400) -> bytes:
    return struct.pack("!HHHHHH", 0, flags, questions, answers, 0, 0)


def record(kind: int, body: bytes, *, name: bytes = b"\x01a\0", size: int | None = None) -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 0, len(body) if size is None else size) + body


def test_a_query_reads_as_it_was_written() -> None:
    packet = write_packet(questions=[Question(NAME, TEXT)], records=[TXT], response=False)
    assert read_packet(packet) == Packet(False, (Question(NAME, TEXT),), (TXT,))


def test_another_library_reads_what_we_write() -> None:
    read = dns.message.from_wire(write_packet(records=[TXT, SRV], response=True))
    assert dns.flags.to_text(read.flags) == "QR AA"
    assert [rrset.to_text().split(" ", 3)[:1] for rrset in read.answer] == [[NAME + "."]] * 2
    (text,), (service,) = read.answer
    assert text.strings == TXT.strings
    assert (service.port, service.target.to_text()) == (3282, "0.0.0.0.")


def test_we_read_what_another_library_writes_with_compressed_names() -> None:
    written = dns.message.make_query(NAME, "SRV")
    written.flags = dns.flags.Flag(0x8400)
    for text in (f"{NAME}. 120 IN SRV 0 0 3282 host.local.", f'{NAME}. 120 IN TXT "id=1" "two"'):
        name, ttl, scope, kind, value = text.split(" ", 4)
        written.answer.append(dns.rrset.from_text(name, int(ttl), scope, kind, value))
    packet = written.to_wire()
    assert packet.count(b"\x03dat\x05local") == 1  # so the names are compressed
    service, text_record = Service(NAME, 3282, "host.local"), Text(NAME, (b"id=1", b"two"))
    assert read_packet(packet) == Packet(True, (Question(NAME, SERVICE),), (service, text_record))


def test_the_bits_for_unicast_answers_and_cache_flushes_are_no_part_of_the_class() -> None:
    packet = bytearray(write_packet(questions=[Question(NAME, TEXT)], response=False))
    packet[-2] = 0x80
    assert read_packet(bytes(packet)).questions == (Question(NAME, TEXT),)


def test_names_are_read_in_lower_case() -> None:
    packet = write_packet(questions=[Question(NAME.upper(), TEXT)], response=False)
    assert read_packet(packet).questions == (Question(NAME, TEXT),)


def test_other_records_classes_and_operations_are_passed_over() -> None:
    address = record(1, b"\x7f\0\0\1")
    chaos = b"\x01a\0" + struct.pack("!HHIH", TEXT, 3, 0, 2) + b"\x01x"
    packet = header(answers=3) + address + chaos + record(TEXT, b"\x01y")
    assert read_packet(packet).records == (Text("a", (b"y",)),)
    assert read_packet(header(answers=1, flags=0x2800) + record(TEXT, b"")) == Packet(False, (), ())


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0" * 11,
        header(questions=1),
        header(questions=1) + b"\xc0\x0c\0\x10\0\1",  # a name that points to itself
        header(questions=1) + b"\x01a\xc0\x0c\0\x10\0\1",  # a loop
        header(questions=1) + b"\xc0\xff\0\x10\0\1",  # a name beyond the end
        header(questions=1) + b"\x41" + b"a" * 65 + b"\0\0\x10\0\1",  # a label type of no RFC
        header(questions=1) + b"\x01a" * 128 + b"\0\0\x10\0\1",  # a name of 257 bytes
        header(questions=RECORDS_MAX + 1) + b"\0\0\x10\0\1" * (RECORDS_MAX + 1),
        struct.pack("!HHHHHH", 0, 0, *[65535] * 4),
        header(answers=1) + record(TEXT, b"\x05abc"),
        header(answers=1) + record(TEXT, b"", size=60000),
        header(answers=1) + record(SERVICE, b"\0\0\0\0\x0c"),
        header(answers=1) + record(SERVICE, b"\0\0\0\0\x0c\xd2\x01a\0\0"),
        header(answers=1) + record(SERVICE, b"\0\0\0\0\x0c\xd2\x01a\0", size=8),
        header() + b"\0" * PACKET_BYTES_MAX,
    ],
)
def test_a_hostile_packet_is_refused(packet: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_packet(packet)
    assert caught.value.code == "dns-packet"
