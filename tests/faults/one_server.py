"""One server for many bad requests, and the list of what its log must hold at the end."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_line import PATIENCE_S, Server, ends_with_npm_client, serving

HERE = Path(__file__).parent
GAS = 4_000_000_000


@dataclass
class Shared:
    """The server of a file's tests.

    Attributes:
        server: The process.
        logged: The methods of all calls that were made, in order: what the log must hold.
    """

    server: Server
    logged: list[str] = field(default_factory=list)

    @property
    def websocket(self) -> str:
        return f"ws://{self.server.address}/"

    def with_npm_client(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Make calls one after the other, and return ``{value}``, ``{undefined}`` or ``{error}``."""
        ends = ends_with_npm_client(self.server.address, calls)
        self.logged += [method for method, _ in calls]
        return ends

    def post(
        self, body: bytes, content_type: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        """Send one HTTP request, and return its status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        try:
            connection.request(
                "POST", "/", body=body, headers={"Content-Type": content_type, **headers}
            )
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def is_well(self) -> None:
        """Make a normal call."""
        self.logged.append("ok")
        status, answer = self.post(b'{"jsonrpc":"2.0","method":"ok","id":1}')
        assert (status, answer["id"]) == (200, 1)
        assert answer["result"] > 0


@contextmanager
def one_server(folder: Path) -> Iterator[Shared]:
    """Serve the script that does everything wrong."""
    script = str(HERE / "bad_backend.js")
    options = ("--dir", str(folder / "bad"), "--limit", f"gas={GAS}", "--log-level", "debug")
    with serving(script, *options) as server:
        yield Shared(server)
