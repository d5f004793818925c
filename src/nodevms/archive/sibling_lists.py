"""The `paths` field of an append-tree node: its lists of siblings, as bytes.

One list for each folder on the way from the root to the node's own name, each an ascending run of
metadata block numbers. The bytes are one varint (1 if every list ends with the node's own number,
which is then left out), then for each list a varint count and the numbers as varint differences.

Spec: append-tree 2 as used by hyperdrive 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub

from nodevms.archive.drive_errors import BadDriveError

_VARINT_BYTES_MAX = 8
_RUN = 512  # numbers that are handled together while each difference fits in a byte


def encode_sibling_lists(seq: int, lists: Sequence[Iterable[int]]) -> bytes:
    """Return the bytes of a node's lists.

    Args:
        seq: The block that the node will stand in.
        lists: For each depth, root first, ascending block numbers, at most `seq`.
    """
    rows = [list(numbers) for numbers in lists]
    ends_with_seq = all(row and row[-1] == seq for row in rows)
    out = bytearray((1,) if ends_with_seq else (0,))
    for row in rows:
        if ends_with_seq:
            row.pop()
        _write_varint(out, len(row))
        for start in range(0, len(row), _RUN):
            _write_run(out, row[start : start + _RUN], row[start - 1] if start else 0)
    return bytes(out)


def decode_sibling_lists(seq: int, paths: bytes, *, lists_max: int) -> list[list[int]]:
    """Read a node's lists, checking what every honest writer keeps to.

    The result holds at most as many numbers as `paths` has bytes, plus one a list.

    Args:
        seq: The block that the node stands in.
        paths: Bytes from outside.
        lists_max: How many lists the node's name allows.

    Raises:
        BadDriveError: Cut short, too many lists, or numbers that do not ascend from 1 to `seq`.
    """
    flag, at = _read_varint(paths, 0, seq)
    if flag > 1:
        raise BadDriveError("its sibling lists have an unknown flag", seq=seq)
    rows: list[list[int]] = []
    end = len(paths)
    while at < end:
        if len(rows) == lists_max:
            raise BadDriveError("it has more sibling lists than its name has folders", seq=seq)
        count, at = _read_varint(paths, at, seq)
        if count > end - at:
            raise BadDriveError("a sibling list is cut short", seq=seq)
        row, at = _read_list(paths, at, count, seq)
        if row and (row[-1] > seq or (flag and row[-1] == seq)):
            raise BadDriveError("a sibling list points to a later block", seq=seq)
        if flag:
            row.append(seq)
        rows.append(row)
    return rows


def _read_list(paths: bytes, at: int, count: int, seq: int) -> tuple[list[int], int]:
    differences: list[int] = []
    while len(differences) < count:
        run = paths[at : at + min(_RUN, count - len(differences))]
        if run.isascii() and run:  # one byte each: much faster, and the usual case
            differences += run
            at += len(run)
        else:
            difference, at = _read_varint(paths, at, seq)
            differences.append(difference)
    if 0 in differences:
        raise BadDriveError("a sibling list does not ascend", seq=seq)
    return list(accumulate(differences)), at


def _write_run(out: bytearray, numbers: list[int], previous: int) -> None:
    differences = list(map(sub, numbers, [previous, *numbers[:-1]]))
    if max(differences) < 0x80:
        out += bytes(differences)
        return
    for difference in differences:
        _write_varint(out, difference)


def _write_varint(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _read_varint(data: bytes, at: int, seq: int) -> tuple[int, int]:
    number = shift = 0
    for place in range(at, min(at + _VARINT_BYTES_MAX, len(data))):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + 1
        shift += 7
    raise BadDriveError("a number in its sibling lists is cut short or too long", seq=seq)
