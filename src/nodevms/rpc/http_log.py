"""What aiohttp reports, without what strangers can cause: nobody fills the host's log from outside.

A request that is no HTTP, or whose sender goes, is answered or closed, and is no news. What is
left are failures of our own.
"""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError


def http_log() -> logging.Logger:
    """Return the logger for aiohttp's server."""
    log = logging.getLogger("nodevms.rpc.http")
    if not any(isinstance(each, _OwnFaults) for each in log.filters):
        log.addFilter(_OwnFaults())
    return log


class _OwnFaults(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is about us."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | ConnectionError)
