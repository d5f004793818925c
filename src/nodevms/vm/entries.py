"""The entries of the call log: their types, their one spelling, and nothing else.

An entry is one line of JSON. Within format version 1 each entry has exactly one spelling: the
one that :func:`encode` writes. :func:`decode` accepts no other, so that nobody can hide a
second meaning in duplicate keys, unknown fields or white space. Arguments, results and errors
stay the text that the caller or the guest wrote (``msgspec.Raw``). The format is written down
in ``docs/spec.md``, "The call log".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.json_text import compact, deeper_than, hide_surrogates, show_surrogates
from nodevms.vm.limits import Limits
from nodevms.vm.numbers import Number, Version

FORMAT_VERSION: Final = 1
HOST_API: Final = 1
ENTRY_BYTES_MAX: Final = 4 * 1024 * 1024
JSON_DEPTH_MAX: Final = 128


class ChangeItem(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What a call did to one path in the end.

    Attributes:
        path: The absolute path.
        kind: ``file``, ``folder`` or ``deleted``.
        size: Bytes of the content; files only.
        sha256: SHA-256 of the content in hex; files only.
        block: First block in the content feed; files only. The host's statement: checked
            through the hash, not compared with a replay.
    """

    path: str
    kind: str
    size: Number | UnsetType = UNSET
    sha256: str | UnsetType = UNSET
    block: Number | UnsetType = UNSET


class Oracle(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What one oracle of a call gave. Nobody can check it: it is the host's word.

    Attributes:
        source: SHA-256 of the function's source text in hex.
        res: The value's JSON text; absent for ``undefined`` and after an error.
        err: The error's JSON text; absent unless the function threw or was stopped.
        hosts: The hosts that it sent requests to, sorted; absent if there is none.
    """

    source: str
    res: Raw | UnsetType = UNSET
    err: Raw | UnsetType = UNSET
    hosts: tuple[str, ...] | UnsetType = UNSET


class Result(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How a call ended and what it changed.

    Attributes:
        res: The result's JSON text; absent for ``undefined`` and after an error.
        err: The error's JSON text; absent unless the call threw or was stopped.
        gas: What the call used.
        oracles: What the oracles gave that it asked, in this order.
        changes: The net change of each path, sorted by the bytes of the path.
        filesVersion: The version of the files after the call.
        filesRoot: The state root in hex, when the call changed something.
    """

    res: Raw | UnsetType = UNSET
    err: Raw | UnsetType = UNSET
    gas: Number
    oracles: tuple[Oracle, ...] | UnsetType = UNSET
    changes: tuple[ChangeItem, ...] | UnsetType = UNSET
    filesVersion: Number  # noqa: N815 - the log's own name
    filesRoot: str | UnsetType = UNSET  # noqa: N815


class CallInfo(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Who asked for what, and when.

    Attributes:
        userId: The caller, or None for nobody.
        methodName: The exported function.
        args: The JSON array of the arguments, as the caller wrote it, without white space.
        time: Milliseconds since 1970, never lower than the entry's before.
        seed: 16 hex digits, when the call used ``Math.random``.
    """

    userId: str | None  # noqa: N815
    methodName: str  # noqa: N815
    args: Raw
    time: Number
    seed: str | UnsetType = UNSET


class _Entry(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
):
    pass


class Init(_Entry, frozen=True, kw_only=True, tag="init"):
    """The first entry: the script, the keys and the rules of this backend."""

    v: Version
    code: str
    filesArchiveUrl: str  # noqa: N815
    contentKey: str  # noqa: N815
    title: str
    debug: bool
    engine: str
    hostApi: Number  # noqa: N815
    limits: Limits
    time: Number
    seed: str | UnsetType = UNSET
    result: Result


class Restart(_Entry, frozen=True, kw_only=True, tag="restart"):
    """The same script was started afresh: what it kept in memory is gone."""

    v: Version
    engine: str
    hostApi: Number  # noqa: N815
    limits: Limits
    time: Number
    seed: str | UnsetType = UNSET
    result: Result


class Upgrade(_Entry, frozen=True, kw_only=True, tag="upgrade"):
    """The operator replaced the script."""

    v: Version
    code: str
    engine: str
    hostApi: Number  # noqa: N815
    limits: Limits
    time: Number
    seed: str | UnsetType = UNSET
    result: Result


class Call(_Entry, frozen=True, kw_only=True, tag="call"):
    """One call over RPC."""

    call: CallInfo
    result: Result


Start: TypeAlias = Init | Restart | Upgrade
Entry: TypeAlias = Init | Restart | Upgrade | Call

Outcome = TypeVar("Outcome", Result, Oracle)

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry)


class _VersionProbe(msgspec.Struct):
    v: Number = FORMAT_VERSION


_PROBE: Final = msgspec.json.Decoder(_VersionProbe)


def time_of(entry: Entry) -> int:
    """Return the entry's time in milliseconds since 1970."""
    return entry.call.time if isinstance(entry, Call) else entry.time


def spelled_bytes(text: str | None) -> int:
    """Return how many bytes a string, or null, takes in an entry."""
    return len(_ENCODER.encode(text))


def encode(entry: Entry) -> bytes:
    """Return the entry as one block of the call log: JSON text and a newline."""
    return _ENCODER.encode(entry) + b"\n"


def decode(block: bytes) -> Entry:
    """Read one block of a call log.

    Args:
        block: The block, at most 4 MiB.

    Raises:
        ProvedFalseError: The block is no entry of format version 1 in its one spelling.
        CouldNotCheckError: The entry begins with a newer format version than ours.
    """
    if len(block) > ENTRY_BYTES_MAX:
        raise ProvedFalseError(f"the entry has {len(block):,} bytes, more than an entry may have")
    try:
        block.decode("utf-8")
        if deeper_than(block, JSON_DEPTH_MAX + 8):
            raise RecursionError("it nests deeper than an entry may")  # as a parser would
        text = hide_surrogates(block)
        entry = _DECODER.decode(text)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        _refuse_newer_version(block)
        raise ProvedFalseError(f"not an entry of this format: {error}") from None
    if not isinstance(entry, Call) and entry.v > FORMAT_VERSION:
        raise _newer(entry.v)
    if text is not block:
        entry = _map_raw(entry, lambda raw: Raw(show_surrogates(bytes(raw))))
    if encode(entry) != block:
        raise ProvedFalseError("the entry is not written in the one spelling of its format")
    for raw in _compact_texts(entry):
        if compact(raw) != raw:
            raise ProvedFalseError(
                "the entry's arguments or oracles contain white space between tokens"
            )
    return entry


def oracles_of(entry: Entry) -> tuple[Oracle, ...]:
    """Return what the oracles gave that an entry's call asked."""
    oracles = entry.result.oracles
    return oracles if isinstance(oracles, tuple) else ()


def _compact_texts(entry: Entry) -> Iterator[bytes]:
    """Yield the texts that no replay would tell from those with white space."""
    if isinstance(entry, Call):
        yield bytes(entry.call.args)
    for oracle in oracles_of(entry):
        for text in (oracle.res, oracle.err):
            if isinstance(text, Raw):
                yield bytes(text)


def _newer(version: int) -> CouldNotCheckError:
    return CouldNotCheckError(
        f"the log continues in format version {version}; this program knows {FORMAT_VERSION}",
        code="unknown-format",
        hint="Use a newer release of nodevms.",
    )


def _refuse_newer_version(block: bytes) -> None:
    try:
        block.decode("utf-8")
        probe = _PROBE.decode(hide_surrogates(block))
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return
    if probe.v > FORMAT_VERSION:
        raise _newer(probe.v)


def _map_raw(entry: Entry, change: Callable[[Raw], Raw]) -> Entry:
    result = _with_outcome(entry.result, change)
    if isinstance(result.oracles, tuple):
        oracles = tuple(_with_outcome(oracle, change) for oracle in result.oracles)
        result = msgspec.structs.replace(result, oracles=oracles)
    mapped: dict[str, Any] = {"result": result}
    if isinstance(entry, Call):
        call = entry.call
        mapped["call"] = msgspec.structs.replace(call, args=change(call.args))
    return msgspec.structs.replace(entry, **mapped)


def _with_outcome(outcome: Outcome, change: Callable[[Raw], Raw]) -> Outcome:
    fields: dict[str, Any] = {
        name: change(value)
        for name in ("res", "err")
        if isinstance(value := getattr(outcome, name), Raw)
    }
    return msgspec.structs.replace(outcome, **fields)
