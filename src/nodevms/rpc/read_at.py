"""What a read-only answer was computed at, as a member of JSON: ``readonly`` of an answer."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from nodevms.feed.head_values import bytes_of, head_of, head_value
from nodevms.vm.numbers import Number
from nodevms.vm.requests import ReadAt

HASH_BYTES: Final = 32
_SEED: Final = re.compile(r"[0-9a-f]{16}")


class _ReadOnly(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    files_version: Number
    files_root: str
    time: Number
    gas: Number
    seed: str | UnsetType = UNSET
    head: Any


_decode = msgspec.json.Decoder(_ReadOnly).decode


def encode_read_at(read_at: ReadAt) -> bytes:
    """Return the JSON text of what an answer was computed at."""
    return msgspec.json.encode(
        _ReadOnly(
            files_version=read_at.files_version,
            files_root=read_at.files_root,
            time=read_at.time_ms,
            gas=read_at.gas,
            seed=UNSET if read_at.seed is None else read_at.seed,
            head=head_value(read_at.head),
        )
    )


def decode_read_at(text: bytes) -> ReadAt:
    """Return what a JSON text spells; nothing about it is checked but its form.

    Raises:
        msgspec.DecodeError: It spells nothing of this form.
    """
    found = _decode(text)
    try:
        bytes_of(found.files_root, HASH_BYTES)
        if isinstance(found.seed, str) and not _SEED.fullmatch(found.seed):
            raise ValueError("a seed is none")
        return ReadAt(
            head=head_of(found.head),
            time_ms=found.time,
            files_version=found.files_version,
            files_root=found.files_root,
            gas=found.gas,
            seed=found.seed if isinstance(found.seed, str) else None,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise msgspec.ValidationError(
            f"not what an answer was computed at: {error!s:.200}"
        ) from None
