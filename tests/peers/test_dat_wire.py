"""A conversation with npm's hypercore-protocol: it repeats to us everything that we say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nodevms.dat.wire import (
    Cancel,
    Connection,
    Data,
    Extension,
    FeedOpened,
    Handshake,
    HandshakeReceived,
    Have,
    Info,
    Received,
    Request,
    Unhave,
    Unwant,
    Want,
    encode_bitmap,
)
from nodevms.feed import Node, discovery_key

HERE = Path(__file__).parent
KEYS = [b"1" * 32, b"2" * 32]
HANDSHAKE = Handshake(b"o" * 32, live=True, user_data=b"ours", extensions=("both", "ours"))
SAID: list[Any] = [
    Info(uploading=True, downloading=False),
    Have(0, 1024, encode_bitmap(b"\xff" * 100 + b"\xaa" * 28)),
    Have(2**53 - 1, ack=True),
    Unhave(3, 4),
    Want(8192, 8192),
    Unwant(0, 1),
    Request(7, 0, hash=True, nodes=2**52 + 1),
    Request(0, 2**40),
    Cancel(7, 8, hash=True),
    Data(5, b"block", (Node(9, b"h" * 32, 2**33), Node(3, b"g" * 32, 0)), b"s" * 64),
    Data(6, None, ()),
    Data(7, bytes(range(256)) * 10_000),
    Extension("both", b"payload"),
]


class Peer:
    """The Node program and our connection with it."""

    def __init__(self, role: str) -> None:
        node = Path(sys.executable).parent / "node"
        self.process = subprocess.Popen(
            [
                str(node),
                "--no-deprecation",
                str(HERE / "protocol_peer.js"),
                role,
                ",".join(key.hex() for key in KEYS),
                "both,npm",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=HERE,
        )
        self.connection = Connection(HANDSHAKE)

    def write(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(self.connection.take())
        self.process.stdin.flush()

    def events(self, count: int) -> list[Any]:
        """Wait for so many events, opening what the other side opens."""
        assert self.process.stdout is not None
        seen: list[Any] = []
        while len(seen) < count:
            data = self.process.stdout.read1(100_000)
            assert data, "the peer has ended"
            for event in self.connection.receive(data):
                seen.append(event)
                if isinstance(event, FeedOpened):
                    self.connection.open(
                        next(key for key in KEYS if discovery_key(key) == event.discovery_key)
                    )
        return seen

    def end(self) -> list[Any]:
        _, told = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, told
        return [json.loads(line) for line in told.splitlines()]


@pytest.mark.parametrize("role", ["answers", "opens"])
def test_npm_repeats_everything_that_we_say(role: str) -> None:
    peer = Peer(role)
    if role == "opens":
        begun = peer.events(3)
        assert [type(event) for event in begun] == [FeedOpened, HandshakeReceived, FeedOpened]
    else:
        for key in KEYS:
            peer.connection.open(key)
        peer.write()
        begun = peer.events(1)
    theirs = next(event.handshake for event in begun if isinstance(event, HandshakeReceived))
    assert theirs == Handshake(b"n" * 32, True, b"npm", ("both", "npm"), True)
    channels = [peer.connection.open(key) for key in KEYS]
    for message in SAID:
        for channel in channels:
            channel.send(message)
    peer.connection.keep_alive()
    peer.write()
    heard = peer.events(2 * len(SAID))
    for channel in channels:
        assert [one.message for one in heard if one.channel is channel] == SAID
    assert all(isinstance(event, Received) for event in heard)
    told = peer.end()
    assert told == [
        {"id": "o" * 32, "live": True, "ack": False, "userData": "ours", "supports": ["both"]}
    ]
