"""The answer of a read-only call, to be used, kept and verified.

Nothing of it stands in the log: the signature covers the log that the answer was computed at, and
not the answer. With the log, anybody can compute it again (``nodevms verify --answer``). The text
form is described in docs/rpc.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec
from msgspec import UNSET, Raw, UnsetType

from nodevms.errors import RemoteProtocolError, UsageError
from nodevms.feed import verify_head
from nodevms.feed.head_values import bytes_of
from nodevms.feed.keys import PUBLIC_KEY_BYTES
from nodevms.json_text import compact, deeper_than, hide_surrogates, show_surrogates
from nodevms.rpc.read_at import decode_read_at, encode_read_at
from nodevms.vm.numbers import Number
from nodevms.vm.requests import ReadAt

FORMAT: Final = "nodevms-answer-1"
BYTES_MAX: Final = 16 * 1024 * 1024
"""More than arguments, result and head may have together."""
DEPTH_MAX: Final = 160


class _Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    userId: str | None  # noqa: N815 - the log's own names
    methodName: str  # noqa: N815
    args: Raw


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    key: str
    epoch: Number
    call: _Call
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    readonly: Raw


_decode = msgspec.json.Decoder(_Document).decode


@dataclass(frozen=True, slots=True)
class ReadOnlyAnswer:
    """What a backend answered to one read-only call, and what it was computed at.

    Attributes:
        key: The call log's public key, 32 bytes.
        epoch: Seq of the start entry that the call ran under.
        user: Who called, or None for nobody.
        method: The export.
        arguments: JSON text of the array, without white space between tokens.
        result: JSON text of the result as the backend wrote it; None for ``undefined`` and after an
            error.
        error: JSON text of the answer's ``error`` member; None when the call returned.
        read_at: The signed head, the files' version and root, time, gas and seed.
    """

    key: bytes
    epoch: int
    user: str | None
    method: str
    arguments: bytes
    result: bytes | None
    error: bytes | None
    read_at: ReadAt

    @property
    def value(self) -> Any:
        """The result as Python has it; None for ``undefined``.

        Raises:
            RemoteProtocolError: It is not JSON.
        """
        try:
            return None if self.result is None else json.loads(self.result)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError(
                f"The result of {self.method} is not JSON: {error}"
            ) from error

    @property
    def length(self) -> int:
        """The length of the log that the answer was computed at."""
        return self.read_at.head.length

    def check_head(self) -> None:
        """Check that the key signed the head that the answer names; no network is asked.

        Raises:
            ProvedFalseError: It did not.
        """
        verify_head(self.key, self.read_at.head)

    def to_json(self) -> bytes:
        """Return the answer as JSON text; arguments and result are the texts that went over."""
        call = b'{"userId":%b,"methodName":%b,"args":%b}' % (
            json.dumps(self.user).encode(),
            json.dumps(self.method).encode(),
            self.arguments,
        )
        outcome = b""
        if self.result is not None:
            outcome = b'"result":%b,' % self.result
        elif self.error is not None:
            outcome = b'"error":%b,' % self.error
        return b'{"format":"%b","key":"%b","epoch":%d,"call":%b,%b"readonly":%b}\n' % (
            FORMAT.encode(),
            self.key.hex().encode(),
            self.epoch,
            call,
            outcome,
            encode_read_at(self.read_at),
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return the answer that a text holds; nothing about it is checked but its form.

        Raises:
            UsageError: The text has not this form.
        """
        try:
            if len(text) > BYTES_MAX:
                raise ValueError(f"it has more than {BYTES_MAX:,} bytes")
            text.decode()
            if deeper_than(text, DEPTH_MAX):
                raise ValueError("it nests too deeply")
            found = _decode(hide_surrogates(text))
            if found.format != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            if UNSET not in (found.result, found.error):
                raise ValueError("it has a result and an error")
            return cls(
                key=bytes_of(found.key, PUBLIC_KEY_BYTES),
                epoch=found.epoch,
                user=found.call.userId,
                method=found.call.methodName,
                arguments=_text(found.call.args) or b"[]",
                result=_text(found.result),
                error=_text(found.error),
                read_at=decode_read_at(bytes(found.readonly)),
            )
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            raise UsageError(
                f"this is no saved answer: {error!s:.200}",
                code="answer",
                hint="nodevms call --save FILE writes one.",
            ) from None


def _text(raw: Raw | UnsetType) -> bytes | None:
    return show_surrogates(compact(bytes(raw))) if isinstance(raw, Raw) else None
