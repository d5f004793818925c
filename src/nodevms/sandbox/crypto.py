"""Hashes, HMAC and Ed25519 for the guest's ``crypto`` module, at the processor's speed.

An answer is a function of the request alone, so a sandbox answers these requests itself and nobody
records the answers. Requests come from the guest, which is not trusted: whatever they are, they are
paid for first and answered.

    REQUEST + BYTE x bytes of the request      parsing, copying, hashing
    VERIFY                                     more for a signature

Spec: docs/spec-engine.md; FIPS 180-4, RFC 1321, RFC 2104, RFC 8032 as libsodium judges it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from functools import partial
from typing import Final

from nacl import bindings
from nacl.exceptions import BadSignatureError

REQUEST_GAS: Final = 50_000
BYTE_GAS: Final = 25
VERIFY_GAS: Final = 1_000_000
ALGORITHMS: Final = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")

_TEXT_BYTES_MAX: Final = 200
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_REFUSED: Final = b'{"error":"No such cryptographic request"}'
_DIGESTS: Final = {name: partial(hashlib.new, name, usedforsecurity=False) for name in ALGORITHMS}


def answer_crypto(request: bytes, charge: Callable[[int], None]) -> bytes:
    """Answer one request of the guest.

    Args:
        request: JSON text, a zero byte and data: ``["hash",name]`` and what is hashed;
            ``["hmac",name,length]`` and the key, of that length, with the message after it;
            ``["verify","ed25519"]`` and the public key (32 bytes), the signature (64) and the
            message.
        charge: Takes gas for the work, before it is done.

    Returns:
        ``{"value":null}``, a zero byte and the digest; ``{"value":true}`` or ``{"value":false}``;
        ``{"error":…}`` for anything else.
    """
    charge(REQUEST_GAS + BYTE_GAS * len(request))
    text, _, data = request.partition(b"\0")
    try:
        asked = json.loads(text) if len(text) <= _TEXT_BYTES_MAX else None
    except (ValueError, RecursionError):
        return _REFUSED
    match asked:
        case ["hash", str(name)] if name in _DIGESTS:
            return b'{"value":null}\0' + _DIGESTS[name](data).digest()
        case ["hmac", str(name), int(length)] if name in _DIGESTS and 0 <= length <= len(data):
            code = hmac.new(data[:length], data[length:], _DIGESTS[name])
            return b'{"value":null}\0' + code.digest()
        case ["verify", "ed25519"] if len(data) >= _KEY_BYTES + _SIGNATURE_BYTES:
            charge(VERIFY_GAS)
            return b'{"value":true}' if _is_signed(data) else b'{"value":false}'
        case _:
            return _REFUSED


def _is_signed(data: bytes) -> bool:
    try:
        bindings.crypto_sign_open(data[_KEY_BYTES:], data[:_KEY_BYTES])
    except BadSignatureError:
        return False
    return True
