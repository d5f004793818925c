"""The Dat wire: frames, cipher, messages and one connection's rules. Bytes in, events out."""

from nodevms.dat.wire.bitmap import decode_bitmap, encode_bitmap
from nodevms.dat.wire.channel import Channel
from nodevms.dat.wire.connection import CHANNELS_MAX, Connection, RemoteState
from nodevms.dat.wire.events import Event, FeedOpened, HandshakeReceived, KeepAlive, Received
from nodevms.dat.wire.frames import FRAME_BYTES_MAX
from nodevms.dat.wire.messages import (
    INDEX_MAX,
    Cancel,
    Data,
    Extension,
    Handshake,
    Have,
    Info,
    Message,
    Request,
    Unhave,
    Unwant,
    Want,
)

__all__ = [
    "CHANNELS_MAX",
    "FRAME_BYTES_MAX",
    "INDEX_MAX",
    "Cancel",
    "Channel",
    "Connection",
    "Data",
    "Event",
    "Extension",
    "FeedOpened",
    "Handshake",
    "HandshakeReceived",
    "Have",
    "Info",
    "KeepAlive",
    "Message",
    "Received",
    "RemoteState",
    "Request",
    "Unhave",
    "Unwant",
    "Want",
    "decode_bitmap",
    "encode_bitmap",
]
