"""Checking saved answers of read-only calls against the log that they say they were computed at.

First the signature of the head that an answer names, for which nothing else is needed; then that
the log had this head; then, at that place of the replay, the call is run again. The answer itself
is signed by nobody: where it differs, it is false, whoever made it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from nodevms.audit.call_rules import Problem
from nodevms.audit.checked_feeds import CheckedFeeds
from nodevms.audit.divergence import Divergence, EntryUncheckedError, shorten
from nodevms.audit.replay import Standing
from nodevms.audit.seen import behind, shortened
from nodevms.errors import NodeVMSError, ProvedFalseError, UsageError
from nodevms.feed import FeedFalseError, Head, dat_url
from nodevms.feed.forks import accuse
from nodevms.rpc import ReadOnlyAnswer
from nodevms.rpc.answers import error_member
from nodevms.vm.read_only import ReadOnlyRun, run_read_only


class AnswerFalseError(ProvedFalseError):
    """A saved answer says something that the log contradicts.

    Attributes:
        divergence: What differs; its ``seq`` is the last entry that the answer rests on.
    """

    code = "answer-differs"

    def __init__(self, name: str, divergence: Divergence) -> None:
        d = divergence
        super().__init__(
            f"the answer in {name} ({d.what}, computed at {d.seq + 1} entries): {d.field} differs: "
            f"expected {shorten(d.expected)}, found {shorten(d.found)}",
            hint="The signature covers the log and not the answer: it is false, but this does not "
            "show who made it.",
        )
        self.divergence = divergence


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """An answer, and what it is called to people.

    Attributes:
        name: Such as the file that it was read from.
        answer: As it was saved.
    """

    name: str
    answer: ReadOnlyAnswer

    @property
    def what(self) -> str:
        """The call in a few words."""
        answer = self.answer
        arguments = answer.arguments[1:-1].decode("utf-8", "replace")
        by = "" if answer.user is None else f" by {shorten(repr(answer.user), 80)}"
        return f"{shorten(answer.method, 80)}({shorten(arguments, 80)}){by}"

    def check_head(self) -> None:
        """Check that the key that the answer names signed its head, with nothing but the answer.

        Raises:
            ProvedFalseError: It did not, or the head has no entry.
        """
        try:
            if self.answer.length == 0:
                raise FeedFalseError("No answer is computed at an empty log.")
            self.answer.check_head()
        except FeedFalseError as error:
            raise ProvedFalseError(
                f"the answer in {self.name} names a head that {dat_url(self.answer.key)} did not "
                f"sign: {error}",
                code="answer-head",
            ) from error

    def check_log(self, feeds: CheckedFeeds) -> None:
        """Check that the log had the answer's head, before anything is replayed.

        Raises:
            UsageError: It is the answer of another backend.
            ForkError: The log's key signed another history.
            ProvedFalseError: The log was shortened since.
            CouldNotCheckError: The log is a copy that does not go so far.
        """
        answer, now = self.answer, feeds.log_head
        if answer.key != feeds.log.key:
            raise UsageError(
                f"the answer in {self.name} is of {dat_url(answer.key)}, and this is the log "
                f"{dat_url(feeds.log.key)}",
                code="answer-other",
            )
        if answer.length > now.length:
            self._accuse(feeds, now)
            longer = behind if feeds.from_others or feeds.allow_older else shortened
            raise longer(now.length, answer.length)
        if feeds.log.head_at(answer.length).roots != answer.read_at.head.roots:
            self._accuse(feeds, now)
            self._differs("head", "the head of this log", "another head")

    def check_at(self, standing: Standing) -> None:
        """Run the call where the replay stands, which is where the answer says, and compare.

        Raises:
            AnswerFalseError: Something differs; the first difference is named.
            CouldNotCheckError: This machine failed.
        """
        answer, point = self.answer, standing.point
        read_at = answer.read_at
        for name, expected, found in (
            ("epoch", point.epoch, answer.epoch),
            ("time", point.time_ms, read_at.time_ms),
            ("filesVersion", point.files_version, read_at.files_version),
            ("filesRoot", point.files_root, read_at.files_root),
        ):
            if expected != found:
                self._differs(name, expected, found)
        problem = standing.rules.problem(
            answer.method, answer.user, answer.arguments, readonly=True
        )
        if problem is not None:
            self._differs(*problem)
        run = self._run(standing)
        for name, wanted, given in _differences(run, answer, debug=standing.rules.debug):
            self._differs(name, wanted, given)

    def _run(self, standing: Standing) -> ReadOnlyRun:
        answer = self.answer
        seed = answer.read_at.seed

        def seeds() -> str:
            if seed is None:
                self._differs("seed", "a seed, for the call asks for one", None)
            return seed

        try:
            return run_read_only(
                standing.replica.fork(standing.point.guest),
                standing.point,
                answer.method,
                answer.arguments,
                caller=answer.user,
                files=standing.files,
                seeds=seeds,
            )
        except AnswerFalseError:
            raise
        except (NodeVMSError, OSError, MemoryError) as error:
            raise EntryUncheckedError(
                f"the answer in {self.name} could not be computed on this machine: {error}",
                entry=None,
                code=getattr(error, "code", "machine"),
            ) from error

    def _accuse(self, feeds: CheckedFeeds, now: Head) -> None:
        """Raise the proof of two histories, if the answer's head and the log's show them."""
        try:
            fork = accuse(feeds.log.key, self.answer.read_at.head, now, feeds.log.node)
        except NodeVMSError:
            return  # nothing that convinces others, such as a longer head with no root in this log
        raise fork

    def _differs(self, field: str, expected: object, found: object) -> NoReturn:
        at = self.answer.length - 1
        sides = [_text(side) for side in (expected, found)]
        raise AnswerFalseError(self.name, Divergence(at, self.what, field, *sides))


def check_heads(answers: Sequence[SavedAnswer]) -> None:
    """Check the signatures of all answers' heads; nothing else is needed for that.

    Raises:
        ProvedFalseError: As :meth:`SavedAnswer.check_head`.
    """
    for saved in answers:
        saved.check_head()


def _differences(run: ReadOnlyRun, answer: ReadOnlyAnswer, *, debug: bool) -> list[Problem]:
    outcome = run.outcome
    error = None if outcome.error is None else error_member(outcome.error)
    if debug and error is not None:
        thrown, found_error = outcome.error or b"", answer.error or b""
        if _is_with_stack(thrown, error, found_error):
            error = found_error
    seed = run.seed if isinstance(run.seed, str) else None
    pairs: list[Problem] = []
    for name, expected, found in (
        ("result", outcome.result, answer.result),
        ("error", error, answer.error),
        ("gas", outcome.gas, answer.read_at.gas),
        ("seed", seed, answer.read_at.seed),
    ):
        if expected != found:
            pairs.append((name, _text(expected), found))
    return pairs


def _is_with_stack(thrown: bytes, member: bytes, found: bytes) -> bool:
    """Tell whether an error is the expected one with a stack behind it, as debug backends add it.

    The stack is for developers: it names files of the host, and nobody checks it.
    """
    begin = member[:-1] + b',"stack":'
    if not thrown.startswith((b'{"name":', b'{"message":')) or not found.startswith(begin):
        return False
    try:
        return found.endswith(b"}") and isinstance(json.loads(found[len(begin) : -1]), str)
    except (ValueError, RecursionError):
        return False


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "nothing" if value is None else str(value)
