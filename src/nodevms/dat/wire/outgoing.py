"""What one side says: the first feed in plain text, then everything else under the cipher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodevms.dat.wire import codec, messages
from nodevms.dat.wire.cipher import NONCE_BYTES, XSalsa20
from nodevms.dat.wire.frames import FRAME_BYTES_MAX, frame
from nodevms.dat.wire.kinds import EXTENSION, KINDS
from nodevms.dat.wire.varint import encode_varint
from nodevms.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPES = {kind: number for number, kind in enumerate(KINDS)}


class Outgoing:
    """Spells messages, and hides all that wait together in one go.

    Attributes:
        key: Key of our first feed, empty before it is open.
        waiting_bytes: How much :meth:`take` would return.
    """

    def __init__(self, handshake: messages.Handshake, random: Callable[[int], bytes]) -> None:
        self._handshake = handshake
        self._random = random
        self._cipher: XSalsa20 | None = None
        self._plain = b""
        self._parts: list[bytes] = []
        self.key = b""
        self.waiting_bytes = 0

    def begin(self, key: bytes, name: bytes) -> None:
        """Queue the first feed, on channel 0, and the handshake."""
        self.key = key
        nonce = self._random(NONCE_BYTES)
        self._plain = b"".join(frame(b"\x00", *codec.encode(messages.Feed(name, nonce))))
        self.waiting_bytes += len(self._plain)
        self._cipher = XSalsa20(key, nonce)
        self.send(0, self._handshake)

    def send(
        self, number: int, message: messages.Message | messages.Handshake | messages.Feed
    ) -> None:
        """Queue a message on one of our channels.

        Raises:
            LocalProtocolError: It is too long, or an extension that our handshake does not name.
        """
        if isinstance(message, messages.Extension):
            names = self._handshake.extensions
            if message.type not in names:
                raise LocalProtocolError(
                    f"The handshake has no extension {message.type!r}.", code="dat-extension"
                )
            kind = EXTENSION
            body = [encode_varint(names.index(message.type)), message.payload]
        else:
            kind = _TYPES[type(message)]
            body = codec.encode(message)
        parts = frame(encode_varint(number << 4 | kind), *body)
        size = sum(map(len, parts))
        if size - len(parts[0]) > FRAME_BYTES_MAX:
            raise LocalProtocolError("The message is too long for a frame.", code="dat-frame")
        self._parts += parts
        self.waiting_bytes += size

    def keep_alive(self) -> None:
        """Queue a keep-alive, if anything was said before."""
        if self.key:
            self._parts.append(b"\x00")
            self.waiting_bytes += 1

    def take(self) -> bytes:
        """Return what to send, and forget it."""
        if self._cipher is None:
            return b""
        data = self._plain + self._cipher.apply(b"".join(self._parts))
        self._plain = b""
        self._parts.clear()
        self.waiting_bytes = 0
        return data
