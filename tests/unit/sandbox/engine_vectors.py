"""Golden vectors of the engine: scripts with calls, and all that came of them.

    python tests/unit/sandbox/engine_vectors.py

rewrites the outcomes in ``tests/vectors/engine`` from the inputs that stand there, when the guest
changes on purpose. What the files mean is said in docs/spec.md.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from nodevms.archive import ArchiveInfo, FileApi, Overlay, State, TemporaryContents
from nodevms.sandbox import Engine, Host, Limits, Meter, Operation, Outcome, Sandbox
from nodevms.vm.engine_thread import on_engine_thread

FOLDER = Path(__file__).parents[2] / "vectors" / "engine"
START_MS = 1_699_999_999_999
INFO = ArchiveInfo("dat://" + "0f" * 32, "vectors")
ORACLE = b'{"res":{"a":[1,"\\ud800"]}}'
INPUTS = ("method", "args", "caller", "timeMs")


class Asked(msgspec.Struct, omit_defaults=True):
    """One request of the guest, the answer, and the gas that the host charged for its work.

    Bytes after the NUL of a request or an answer are in base64.
    """

    op: int
    request: str
    answer: str = ""
    request_data: str | None = msgspec.field(default=None, name="requestData")
    answer_data: str | None = msgspec.field(default=None, name="answerData")
    gas: int = 0


def _split(data: bytes) -> tuple[str, str | None]:
    text, zero, rest = data.partition(b"\0")
    return text.decode(), base64.b64encode(rest).decode() if zero else None


def _join(text: str, data: str | None) -> bytes:
    return text.encode() + (b"" if data is None else b"\0" + base64.b64decode(data))


class Recording:
    """Answers as a backend does, and notes everything."""

    def __init__(self, files: FileApi) -> None:
        self._files = files
        self.asked: list[Asked] = []

    def call(self, operation: int, request: bytes, meter: Meter) -> bytes:
        charged = 0

        def charge(gas: int) -> None:
            nonlocal charged
            meter.charge(gas)
            charged += gas

        answer = b""
        if operation == Operation.FILES:
            answer = self._files.handle(request, charge)
        elif operation == Operation.SEED:
            answer = b"0123456789abcdef"
        elif operation == Operation.ORACLE:
            answer = ORACLE
        text, data = _split(request)
        answer_text, answer_data = _split(answer)
        self.asked.append(Asked(operation, text, answer_text, data, answer_data, charged))
        return answer


class Recorded:
    """Answers what a vector has, if it is asked the same."""

    def __init__(self, asked: list[Asked]) -> None:
        self._left = list(asked)

    def call(self, operation: int, request: bytes, meter: Meter) -> bytes:
        assert self._left, f"the guest asked for more: {request!r}"
        asked = self._left.pop(0)
        wanted = _join(asked.request, asked.request_data)
        assert (operation, request) == (asked.op, wanted)
        meter.charge(asked.gas)
        return _join(asked.answer, asked.answer_data)

    def check_end(self) -> None:
        assert not self._left, "the guest asked for less"


def limits_of(vector: dict[str, Any]) -> Limits:
    given = vector.get("limits", {})
    names = {"gas": "gas", "memoryBytes": "memory_bytes", "resultBytes": "result_bytes"}
    return Limits(**{names[name]: value for name, value in given.items()})


def outcome_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as the vectors have it."""
    members: dict[str, Any] = {"gas": outcome.gas}
    if outcome.result is not None:
        members["result"] = outcome.result.decode()
    if outcome.error is not None:
        members["error"] = outcome.error.decode()
    if outcome.undone:
        members["undone"] = True
    return members


def play(engine: Engine, vector: dict[str, Any], hosts: Iterator[Host]) -> Iterator[dict[str, Any]]:
    """Yield the outcome of the start and of each call, with a host for each.

    The last one has the heap hash, too.
    """
    sandbox = Sandbox(engine, limits_of(vector))
    host = next(hosts)
    yield outcome_of(
        on_engine_thread(
            lambda: sandbox.start(vector["script"], "init", time_ms=START_MS, host=host)
        )
    )
    for number, (call, host) in enumerate(zip(vector["calls"], hosts, strict=False), 1):
        outcome = outcome_of(_call(sandbox, call, host))
        if number == len(vector["calls"]):
            outcome["heapHash"] = sandbox.heap_hash()
        yield outcome
    sandbox.close()


def _call(sandbox: Sandbox, call: dict[str, Any], host: Host) -> Outcome:
    arguments = call["args"].encode()
    caller, time_ms = call.get("caller"), call["timeMs"]
    return on_engine_thread(
        lambda: sandbox.call(call["method"], arguments, caller=caller, time_ms=time_ms, host=host)
    )


def rewrite(engine: Engine, path: Path) -> None:
    """Run a vector's inputs and write what came of them."""
    vector = json.loads(path.read_bytes())
    state, contents = State.open(None), TemporaryContents(1 << 24)
    overlays: list[Overlay] = []
    hosts: list[Recording] = []

    def make_hosts() -> Iterator[Recording]:
        for number in range(len(vector["calls"]) + 1):
            overlays.append(Overlay(state, contents, START_MS + number))
            hosts.append(Recording(FileApi(overlays[-1], INFO)))
            yield hosts[-1]

    outcomes = []
    for outcome in play(engine, vector, make_hosts()):
        outcomes.append(outcome)
        if not outcome.get("undone"):
            overlays[-1].commit(len(outcomes))
    outcomes = [
        outcome | ({"asked": msgspec.to_builtins(host.asked)} if host.asked else {})
        for outcome, host in zip(outcomes, hosts, strict=True)
    ]
    inputs = [{k: call[k] for k in INPUTS if k in call} for call in vector["calls"]]
    written = {k: vector[k] for k in ("script", "limits") if k in vector}
    written["start"], *results = outcomes
    written["calls"] = [call | outcome for call, outcome in zip(inputs, results, strict=True)]
    path.write_text(json.dumps(written, ensure_ascii=False, indent=1) + "\n")
    contents.close()
    state.close()


def main() -> None:
    engine = Engine()
    for path in sorted(FOLDER.glob("*.json")):
        rewrite(engine, path)
        print(path.name)


if __name__ == "__main__":
    main()
