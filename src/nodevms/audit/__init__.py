"""Audits: replay of a log, comparison, and the report."""

from nodevms.audit.answer_check import AnswerFalseError, SavedAnswer
from nodevms.audit.checked_feeds import Expectations
from nodevms.audit.deadline import SECONDS_MAX, Deadline
from nodevms.audit.divergence import (
    Divergence,
    DivergenceError,
    EntryFalseError,
    EntryUncheckedError,
)
from nodevms.audit.fetch import Fetcher, fetch
from nodevms.audit.seen import Memory, default_state_folder
from nodevms.audit.transfer import Patience
from nodevms.audit.verifier import Listener, Report, Verifier

__all__ = [
    "SECONDS_MAX",
    "AnswerFalseError",
    "Deadline",
    "Divergence",
    "DivergenceError",
    "EntryFalseError",
    "EntryUncheckedError",
    "Expectations",
    "Fetcher",
    "Listener",
    "Memory",
    "Patience",
    "Report",
    "SavedAnswer",
    "Verifier",
    "default_state_folder",
    "fetch",
]
