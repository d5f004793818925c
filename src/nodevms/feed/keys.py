"""Ed25519 keys of feeds, and what is derived from them.

Secret keys are kept in libsodium's 64-byte form, because that is what the ``secret_key`` file of a
feed holds. The only random bytes are those of :meth:`KeyPair.generate`.

Spec: RFC 8032 (Ed25519), DEP-0002 (discovery key), libsodium ``crypto_kdf`` (content key).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from nacl import bindings
from nacl.exceptions import BadSignatureError

from nodevms.errors import StorageError, UsageError

PUBLIC_KEY_BYTES = 32
SECRET_KEY_BYTES = 64
SIGNATURE_BYTES = 64

_DAT_URL = re.compile(r"dat://([0-9a-fA-F]{64})/?")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An Ed25519 key pair.

    Attributes:
        public: 32 bytes.
        secret: 64 bytes: the seed, then the public key (libsodium's form). Not in the repr.
    """

    public: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def generate(cls, random: Callable[[int], bytes] = os.urandom) -> KeyPair:
        """Return a new pair whose seed is 32 bytes from ``random``."""
        return cls.from_seed(random(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """Return the pair that belongs to a 32-byte seed.

        Raises:
            UsageError: The seed has another length.
        """
        if len(seed) != 32:
            raise UsageError(f"A key's seed has 32 bytes, not {len(seed)}.", code="bad-seed")
        return cls(*bindings.crypto_sign_seed_keypair(seed))

    @classmethod
    def from_secret(cls, secret: bytes, public: bytes) -> KeyPair:
        """Return the pair of two stored keys, after checking that they belong together.

        Raises:
            StorageError: A key has the wrong length, or they belong to different pairs. Fatal.
        """
        if len(secret) == SECRET_KEY_BYTES:
            pair = cls.from_seed(secret[:32])
            if pair == cls(public, secret):
                return pair
        raise StorageError(
            "The feed's secret key does not belong to its public key.",
            fatal=True,
            code="feed-key-mismatch",
        )

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of the message."""
        return bindings.crypto_sign(message, self.secret)[:SIGNATURE_BYTES]

    def content_key_pair(self) -> KeyPair:
        """Return the pair of a drive's content feed, when this is that of its metadata feed.

        The seed is libsodium's ``crypto_kdf_derive_from_key`` with subkey id 1, context
        ``hyperdri`` and the first 32 bytes of this secret key, as hyperdrive 9 derives it.
        """
        subkey_id = (1).to_bytes(8, "little")
        seed = blake2b(digest_size=32, key=self.secret[:32], salt=subkey_id, person=b"hyperdri")
        return self.from_seed(seed.digest())


def verify_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the 64-byte signature over the message was made with this key.

    Never raises, whatever bytes it is given.
    """
    if len(public) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True


def discovery_key(public: bytes) -> bytes:
    """Return the 32 bytes that name a feed to others without telling them its key."""
    return blake2b(b"hypercore", digest_size=32, key=public).digest()


def dat_url(public: bytes) -> str:
    """Return ``dat://`` and the key in 64 lower-case hex digits."""
    return f"dat://{public.hex()}"


def parse_dat_url(url: str) -> bytes:
    """Return the 32-byte key of a ``dat://`` URL: hex in either case, a slash at its end or none.

    Raises:
        UsageError: It is no such URL.
    """
    match = _DAT_URL.fullmatch(url)
    if match is None:
        shown = url if len(url) <= 100 else url[:100] + "…"
        raise UsageError(
            f"{shown!r} is not a Dat URL.",
            code="bad-dat-url",
            hint="A Dat URL is dat:// followed by 64 hex digits.",
        )
    return bytes.fromhex(match[1])
