"""What the Dat programs ask and answer about a feed in multicast DNS, of both generations.

`dat` 13 asks for the TXT record of ``<first 40 hex digits of the discovery key>.dat.local``. The
answer has ``token=``, by which a program knows its own answers, and ``peers=``: base64 of four
bytes of IPv4 address and a big-endian port for each peer, where 0.0.0.0 means the sender. `dat` 14
asks for the SRV record of ``<40 hex>.hyperswarm.local``; the answer has the port and the target
0.0.0.0, and beside it a TXT record ``id=``, for the same purpose as the token. A packet that asks
may name the ``id`` of whoever asks. Neither generation has a goodbye.
"""

from __future__ import annotations

import base64
import binascii
import struct

from nodevms.dat.discovery.dns_packets import SERVICE, TEXT, Question, Record, Service, Text

NAME_BYTES = 20
"""How many bytes of the discovery key stand in a name."""

PEERS_MAX = 16
"""Peers of one record that are read."""

_DAT_13 = "dat.local"
_DAT_14 = "hyperswarm.local"
_SENDER = "0.0.0.0"  # noqa: S104 (what the protocol writes; nothing is bound to it)
_PEER = struct.Struct("!4BH")


def questions(name: str) -> tuple[Question, Question]:
    """Return the questions of both generations about a feed, by its 40 hex digits."""
    return Question(f"{name}.{_DAT_13}", TEXT), Question(f"{name}.{_DAT_14}", SERVICE)


def feed_name(record: Question | Record) -> str | None:
    """Return the 40 hex digits that a question or an answer is about; None for anything else."""
    name, _, domain = record.name.partition(".")
    return name if domain in {_DAT_13, _DAT_14} else None


def answers(question: Question, port: int, identity: bytes) -> tuple[Record, ...]:
    """Return what a program with this identity answers: it has the feed, on a port.

    A question of neither generation has no answer.
    """
    name, _, domain = question.name.partition(".")
    if (domain, question.type) == (_DAT_13, TEXT):
        peers = base64.b64encode(_PEER.pack(0, 0, 0, 0, port))
        token = base64.b64encode(identity)
        return (Text(question.name, (b"token=" + token, b"peers=" + peers)),)
    if (domain, question.type) == (_DAT_14, SERVICE):
        return Service(question.name, port, _SENDER), mark(name, identity)
    return ()


def mark(name: str, identity: bytes) -> Text:
    """Return the record by which a program knows its own packets."""
    return Text(f"{name}.{_DAT_14}", (b"id=" + identity,))


def is_marked(record: Record, identity: bytes) -> bool:
    """Tell whether a record says that its packet comes from the program with this identity."""
    if not isinstance(record, Text):
        return False
    return bool({b"id=" + identity, b"token=" + base64.b64encode(identity)} & {*record.strings})


def peers(record: Record, sender: str) -> list[tuple[str, int]]:
    """Return host and port of the peers that an answer names, the sender alone.

    An answer that sends us to a third party is what an attacker would write; no Dat program does.
    """
    if isinstance(record, Service):
        named = [(record.target, record.port)] if record.name.endswith("." + _DAT_14) else []
    else:
        named = _text_peers(record) if record.name.endswith("." + _DAT_13) else []
    return list(
        dict.fromkeys((sender, port) for host, port in named if port and host in {_SENDER, sender})
    )


def _text_peers(record: Text) -> list[tuple[str, int]]:
    named = next((each[6:] for each in record.strings if each.startswith(b"peers=")), b"")
    try:
        packed = base64.b64decode(named, validate=True)
    except binascii.Error:
        return []
    whole = packed[: min(len(packed) // _PEER.size, PEERS_MAX) * _PEER.size]
    return [(f"{a}.{b}.{c}.{d}", port) for a, b, c, d, port in _PEER.iter_unpack(whole)]
