"""Multicast DNS packets: reading what anybody on the link may send, and writing ours.

RFC 1035 and RFC 6762, of which the Dat programs use three things: questions, TXT records and SRV
records. Only these are read; every other record is passed over by its length, so that a packet
reaches no more code than it must. Names, whose compression is where decoders go wrong, are read by
dnspython: its pointers must go backwards and its names end at 255 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.name

from nodevms.errors import RemoteProtocolError

PACKET_BYTES_MAX = 9000
"""RFC 6762, section 17: no packet is larger, headers included."""

RECORDS_MAX = 24
"""Questions and records of one packet that are read; a packet that says it has more is not."""

TEXT, SERVICE = 16, 33
"""The record types TXT and SRV."""

_INTERNET = 1
_CLASS_BITS = 0x7FFF  # the top bit asks for a unicast answer, or for a cache to be flushed
_RESPONSE, _AUTHORITATIVE, _OPCODE = 0x8000, 0x0400, 0x7800
_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_SERVICE = struct.Struct("!HHH")


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody asks for the records of one type under a name (lower case, no final dot)."""

    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Text:
    """A TXT record: strings of at most 255 bytes each."""

    name: str
    strings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """An SRV record: the port, and the host that has it."""

    name: str
    port: int
    target: str


Record = Text | Service


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: a query or a response, with what of it the Dat programs use."""

    response: bool
    questions: tuple[Question, ...]
    records: tuple[Record, ...]


def read_packet(data: bytes) -> Packet:
    """Return what a packet says.

    Raises:
        RemoteProtocolError: It is no DNS packet, or is larger than any honest one.
    """
    if len(data) > PACKET_BYTES_MAX:
        raise RemoteProtocolError("A DNS packet is larger than 9000 bytes.", code="dns-packet")
    try:
        return _read(data)
    except (dns.exception.DNSException, struct.error, IndexError) as error:
        raise RemoteProtocolError(
            f"A DNS packet cannot be read: {type(error).__name__}.", code="dns-packet"
        ) from error


def write_packet(
    *, questions: Sequence[Question] = (), records: Sequence[Record] = (), response: bool
) -> bytes:
    """Return a packet with these questions, and these records in its answer section."""
    flags = _RESPONSE | _AUTHORITATIVE if response else 0
    parts = [_HEADER.pack(0, flags, len(questions), len(records), 0, 0)]
    parts += [_name_bytes(each.name) + _QUESTION.pack(each.type, _INTERNET) for each in questions]
    parts += [_record_bytes(each) for each in records]
    return b"".join(parts)


def _read(data: bytes) -> Packet:
    _, flags, asked, *counts = _HEADER.unpack_from(data)
    if asked + sum(counts) > RECORDS_MAX:
        raise RemoteProtocolError("A DNS packet has too many records.", code="dns-packet")
    if flags & _OPCODE:
        return Packet(bool(flags & _RESPONSE), (), ())
    at = _HEADER.size
    questions: list[Question] = []
    for _ in range(asked):
        name, at = _read_name(data, at)
        kind, scope = _QUESTION.unpack_from(data, at)
        at += _QUESTION.size
        if scope & _CLASS_BITS == _INTERNET:
            questions.append(Question(name, kind))
    records: list[Record] = []
    for _ in range(sum(counts)):
        name, at = _read_name(data, at)
        kind, scope, _, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + size > len(data):
            raise RemoteProtocolError("A DNS record ends after its packet.", code="dns-packet")
        if scope & _CLASS_BITS == _INTERNET:
            records += _read_record(data, at, at + size, name, kind)
        at += size
    return Packet(bool(flags & _RESPONSE), tuple(questions), tuple(records))


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    name, used = dns.name.from_wire(data, at)
    return name.to_text(omit_final_dot=True).lower(), at + used


def _read_record(data: bytes, at: int, end: int, name: str, kind: int) -> list[Record]:
    if kind == TEXT:
        strings: list[bytes] = []
        while at < end:
            size = data[at]
            if at + 1 + size > end:
                raise RemoteProtocolError("A DNS text ends after its record.", code="dns-packet")
            strings.append(data[at + 1 : at + 1 + size])
            at += 1 + size
        return [Text(name, tuple(strings))]
    if kind == SERVICE:
        if end - at < _SERVICE.size:
            raise RemoteProtocolError("A DNS service record is too short.", code="dns-packet")
        _, _, port = _SERVICE.unpack_from(data, at)
        target, after = _read_name(data, at + _SERVICE.size)
        if after != end:
            raise RemoteProtocolError("A DNS name does not fill its record.", code="dns-packet")
        return [Service(name, port, target)]
    return []


def _record_bytes(record: Record) -> bytes:
    if isinstance(record, Text):
        kind = TEXT
        body = b"".join(bytes([len(each)]) + each for each in record.strings)
    else:
        kind = SERVICE
        body = _SERVICE.pack(0, 0, record.port) + _name_bytes(record.target)
    # No time to live, as the Dat programs write it: an address that means "the sender" is of no
    # use to a cache.
    return _name_bytes(record.name) + _RECORD.pack(kind, _INTERNET, 0, len(body)) + body


def _name_bytes(name: str) -> bytes:
    return dns.name.from_text(name).to_wire() or b""
