"""Audits: replay of a log, comparison, and the report."""

from nodevms.audit.checked_feeds import Expectations
from nodevms.audit.divergence import Divergence, DivergenceError
from nodevms.audit.fetch import Fetcher, fetch
from nodevms.audit.seen import Memory, default_state_folder
from nodevms.audit.verifier import Report, Verifier

__all__ = [
    "Divergence",
    "DivergenceError",
    "Expectations",
    "Fetcher",
    "Memory",
    "Report",
    "Verifier",
    "default_state_folder",
    "fetch",
]
