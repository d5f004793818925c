"""XSalsa20 as a stream: the same function hides and shows.

The wire's only secret is the feed's public key, so this keeps a conversation from those who do not
know the URL. It authenticates nothing; what arrives is believed only after its proof.

Salsa20 comes from pycryptodome. HSalsa20, which turns the long nonce into a key of its own, runs
once a connection and is written here.

Spec: Bernstein, "Extending the Salsa20 nonce"; libsodium's ``crypto_stream_xsalsa20``.
"""

from __future__ import annotations

import struct

from Crypto.Cipher import Salsa20

KEY_BYTES = 32
NONCE_BYTES = 24

_SIGMA = struct.unpack("<4I", b"expand 32-byte k")
_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
_SHIFTS = (7, 9, 13, 18)
_WORD = 0xFFFFFFFF


def hsalsa20(key: bytes, nonce: bytes) -> bytes:
    """Return the 32-byte key that HSalsa20 derives from a 32-byte key and a 16-byte nonce."""
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", nonce)
    a, b, c, d = _SIGMA
    words = [a, *k[:4], b, *n, c, *k[4:], d]
    for _ in range(10):
        for places in _COLUMNS + _ROWS:
            for step, shift in enumerate(_SHIFTS):
                into = places[(step + 1) % 4]
                total = (words[places[step]] + words[places[step - 1]]) & _WORD
                words[into] ^= (total << shift | total >> 32 - shift) & _WORD
    return struct.pack("<8I", *(words[place] for place in (0, 5, 10, 15, 6, 7, 8, 9)))


class XSalsa20:
    """One direction of a connection. Each call goes on where the one before ended."""

    __slots__ = ("_stream",)

    def __init__(self, key: bytes, nonce: bytes) -> None:
        """Begin a stream.

        Args:
            key: 32 bytes.
            nonce: 24 bytes, never used twice with one key.
        """
        self._stream = Salsa20.new(hsalsa20(key, nonce[:16]), nonce[16:])

    def apply(self, data: bytes) -> bytes:
        """Return the data with the next bytes of the stream laid over them."""
        return self._stream.encrypt(data)
