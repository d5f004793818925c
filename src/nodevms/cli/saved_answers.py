"""Files with answers of read-only calls, for ``call --save`` and ``verify --answer``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodevms.errors import NodeVMSError, UsageError

if TYPE_CHECKING:
    from nodevms.audit import SavedAnswer
    from nodevms.rpc import ReadOnlyAnswer


def write_answer(path: Path, answer: ReadOnlyAnswer) -> None:
    """Write an answer into a file, whatever is there.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        path.write_bytes(answer.to_json())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", code="answer") from error


def read_answers(paths: Sequence[Path]) -> list[SavedAnswer]:
    """Read answers, and check what can be checked without a log: the signatures of their heads.

    Raises:
        UsageError: A file cannot be read, or is none.
        ProvedFalseError: A head is not signed by the key that its answer names.
    """
    if not paths:
        return []
    from nodevms.audit import SavedAnswer

    answers = [SavedAnswer(str(path), _read(path)) for path in paths]
    for saved in answers:
        saved.check_head()
    return answers


def _read(path: Path) -> ReadOnlyAnswer:
    from nodevms.feed import read_start
    from nodevms.rpc import ReadOnlyAnswer
    from nodevms.rpc.read_only_answer import BYTES_MAX

    try:
        text = read_start(path, BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", code="answer") from error
    try:
        return ReadOnlyAnswer.from_json(text)
    except NodeVMSError as error:
        raise UsageError(f"{path}: {error}", code=error.code, hint=error.hint) from None
