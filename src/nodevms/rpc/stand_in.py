"""What is mounted where a backend will be served, or would be if its script were not broken."""

from __future__ import annotations

from nodevms.rpc.backend import Answer, Method
from nodevms.vm.errors import BackendClosedError


class StandIn:
    """A backend that refuses every request and says why.

    Args:
        why: A sentence for whoever calls.
    """

    methods: tuple[Method, ...] = ()
    debug = True
    """Names are let through, so that everybody hears why, and not that names are refused."""

    def __init__(self, why: str) -> None:
        self.why = why

    @property
    def call_log_url(self) -> str:
        """Refuse, as all that only a backend has."""
        raise BackendClosedError(self.why)

    files_archive_url = code_hash = title = call_log_url

    @property
    def epoch(self) -> int:
        """Refuse."""
        raise BackendClosedError(self.why)

    async def call(self, method: str, arguments: bytes, caller: str | None) -> Answer:
        """Refuse."""
        raise BackendClosedError(self.why)
