"""``nodevms log dat://…`` of logs as programs of 2017 wrote them: JSON feeds of npm's hypercore."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from network import Network
from program import Program

ENTRIES = 10_000
SIZE = 300


@dataclass
class Log:
    """A log that npm's hypercore serves on the host."""

    network: Network
    server: Program
    url: str
    port: int

    @classmethod
    def serve(cls, network: Network, options: dict[str, Any]) -> Log:
        given = json.dumps({"json": True, "uploads": True, **options})
        server = network.node("hypercore_serve.js", "-", "0", given)
        ready = server.wait_event("ready")
        return cls(network, server, f"dat://{ready['key']}", ready["port"])

    def read(self, *arguments: str) -> Program:
        peer = ("--no-swarm", "--peer", f"127.0.0.1:{self.port}")
        return self.network.nodevms("log", self.url, *peer, *arguments)

    def sent(self) -> set[int]:
        return {event["index"] for event in self.server.documents("uploaded")}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("network"), isolated=False) as network:
        yield network


@pytest.fixture(scope="module")
def log(network: Network) -> Log:
    return Log.serve(network, {"count": ENTRIES, "size": SIZE})


def test_some_entries_of_a_long_log_then_all_of_it(log: Log) -> None:
    def seqs(program: Program) -> list[int]:
        return [line["seq"] for line in program.documents()]

    last = log.read("--last", "1", "--json")
    few = log.read("--from", str(ENTRIES - 5), "--last", "3")
    beyond = log.read("--from", str(ENTRIES + 5), "--json")
    for program in (last, few, beyond):
        program.wait()
    assert seqs(last) == [ENTRIES - 1]
    assert [line.split(None, 1)[0] for line in few.output().splitlines()] == [
        "9997",
        "9998",
        "9999",
    ]
    assert beyond.output() == ""
    assert log.sent() <= {0, 9997, 9998, 9999}
    following = log.read("--from", str(ENTRIES - 1), "--follow", "--json")
    following.wait_until("the last entry", following.documents)
    log.server.tell({"append": [{"seq": ENTRIES, "text": "new"}, ["any", None, 1e-7]]})
    following.wait_until("the new ones", lambda: len(following.documents()) == 3)
    assert [line["entry"] for line in following.documents()[1:]] == [
        {"seq": ENTRIES, "text": "new"},
        ["any", None, 1e-7],
    ]
    following.process.send_signal(signal.SIGINT)
    assert following.wait(exit_code=None) != 0
    assert "Traceback" not in following.errors()
    assert log.sent() <= {0, *range(9997, 10002)}

    whole = log.read("--json")
    whole.wait()
    assert seqs(whole) == list(range(ENTRIES + 2))
    assert all(line["entry"]["seq"] == line["seq"] for line in whole.documents()[:ENTRIES])
    assert all(len(json.dumps(line["entry"])) >= SIZE for line in whole.documents()[:ENTRIES])


def test_a_log_that_is_empty_and_one_that_nobody_has(network: Network) -> None:
    log = Log.serve(network, {})
    waiting = log.read("--follow", "--json")
    empty = log.read("--timeout", "1")
    empty.wait(exit_code=3)
    assert f"whoever was found has nothing of {log.url} yet" in empty.errors()
    log.server.tell({"append": [{"first": True}]})
    waiting.wait_until("the first entry", waiting.documents)
    assert waiting.documents() == [{"seq": 0, "entry": {"first": True}}]
    waiting.stop(signal.SIGINT)
    log.url = "dat://" + "ab" * 32
    nobody = log.read("--timeout", "1")
    nobody.wait(exit_code=3)
    assert f"nobody was found who has {log.url}" in nobody.errors()
