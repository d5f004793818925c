"""Saved answers of read-only calls: what is true is found true, and whatever is changed in one is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cheating_host import (
    Honest,
    blocks_of,
    cheat_entry,
    cheat_log,
    copied,
    spelled,
)

from nodevms.audit import AnswerFalseError, DivergenceError, Expectations, SavedAnswer, Verifier
from nodevms.errors import CouldNotCheckError, ProvedFalseError, UsageError
from nodevms.feed import ForkError
from nodevms.rpc import ReadOnlyAnswer, RemoteError, RPCClient, RPCServer
from nodevms.sandbox import Engine
from nodevms.vm import VM, Limits
from nodevms.vm.directory import LOG_PREFIX

SCRIPT = """
let n = 0
exports.add = async () => { n++; await System.files.writeFile('/n', String(n)); return n }
exports.loop = () => { n = -1; for (;;); }
exports.get = System.readonly(() => n)
exports.both = System.readonly(async (...more) => [n, await System.files.readFile('/n'), await System.files.readdir('/'), more])
exports.luck = System.readonly(() => [Math.random(), Math.random(), Date.now()])
exports.who = System.readonly(() => System.caller.id)
exports.fail = System.readonly(message => { throw Object.assign(new TypeError(message), { code: 7 }) })
exports.value = System.readonly(value => { throw value })
exports.write = System.readonly(() => System.files.writeFile('/n', ''))
exports.oracle = System.readonly(() => System.oracle(() => 1).catch(e => [e.name, e.message]))
exports.spin = System.readonly(() => { for (;;); })
exports.nothing = System.readonly(() => {})
exports.tamper = System.readonly(() => { n = 99; Object.prototype.x = 1; return [n] })
"""
QUICK = Limits(gas=30_000_000)
PRECISE = '[1.0,12345678901234567890,"\\ud800",-0,{"a":1,"a":2}]'


class Asker:
    """A served backend, and a caller who keeps every answer."""

    def __init__(self, directory: Path, engine: Engine, code: str = SCRIPT, **options: Any) -> None:
        self._vm = VM(code, engine=engine)
        self._directory = directory
        self._options = options
        self.kept: list[SavedAnswer] = []

    async def __aenter__(self) -> Asker:
        await self._vm.deploy(dir=self._directory, limits=QUICK, **self._options)
        self._server = RPCServer({"/": self._vm}, port=0)
        await self._server.start()
        self.client = await RPCClient().connect(
            f"localhost:{self._server.port}", (self._options.get("debug") and "bob") or None
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self._server.stop(1.0)
        await self._vm.close()

    async def ask(self, method: str, arguments: str = "[]") -> ReadOnlyAnswer:
        try:
            answer = await self.client.call_readonly_json(method, arguments)
        except RemoteError as error:
            if error.answer is None:
                raise
            answer = error.answer
        again = ReadOnlyAnswer.from_json(answer.to_json())
        assert again == answer
        self.kept.append(SavedAnswer(f"{len(self.kept)}.json", again))
        return answer


async def _questions(asker: Asker) -> None:
    await asker.client.call("add")
    await asker.ask("get")
    await asker.ask("both", PRECISE)
    await asker.ask("luck")
    await asker.ask("who")
    await asker.ask("tamper")
    await asker.ask("get")
    await asker.ask("fail", '["no ~\\u0000\\ud800"]')
    for value in ("null", "7", '{"code":3}', '""', '"~"'):
        await asker.ask("value", f"[{value}]")
    await asker.ask("value")
    await asker.ask("write")
    refused = (await asker.ask("oracle")).result
    assert refused == b'["ReadOnlyError","a read-only call cannot ask oracles"]'
    await asker.ask("spin")
    await asker.ask("nothing")
    with pytest.raises(RemoteError):
        await asker.client.call("loop")
    await asker.ask("get")
    await asyncio.gather(*(asker.client.call("add") for _ in range(3)))
    await asker.ask("both")


@pytest.fixture(scope="module")
def verifier(engine: Engine) -> Verifier:
    return Verifier(engine)


@pytest.fixture(scope="module")
def asked(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[SavedAnswer]]:
    """A backend that was restarted, and answers from both epochs."""
    directory = tmp_path_factory.mktemp("asked") / "b"

    async def run() -> list[SavedAnswer]:
        kept: list[SavedAnswer] = []
        for _ in range(2):
            async with Asker(directory, engine, debug=True) as asker:
                await _questions(asker)
                kept += asker.kept
        return kept

    return directory, asyncio.run(run())


def test_true_answers_verify(verifier: Verifier, asked: tuple[Path, list[SavedAnswer]]) -> None:
    directory, kept = asked
    report = verifier.verify(directory, answers=kept)
    assert report.answers == tuple(kept)
    assert {saved.answer.epoch for saved in kept} == {0, 6}
    assert len({saved.answer.length for saved in kept}) == 6
    assert report.calls == 10


def test_no_read_only_call_is_in_the_log(asked: tuple[Path, list[SavedAnswer]]) -> None:
    blocks = blocks_of(asked[0], LOG_PREFIX)
    calls = [json.loads(block).get("call") for block in blocks]
    assert {call["methodName"] for call in calls if call} == {"add", "loop"}


def changed(saved: SavedAnswer, **members: Any) -> SavedAnswer:
    read_at = replace(saved.answer.read_at, **members.pop("read_at", {}))
    return SavedAnswer("lie.json", replace(saved.answer, read_at=read_at, **members))


LIES: list[tuple[str, str, dict[str, Any]]] = [
    ("get", "result", {"result": b"2"}),
    ("get", "result", {"result": None}),
    ("get", "result", {"result": b"1.0"}),
    ("nothing", "result", {"result": b"null"}),
    ("get", "result", {"result": None, "error": b'{"code":-32000,"message":"Error"}'}),
    ("fail", "error", {"error": b'{"code":-32000,"message":"TypeError","data":"yes"}'}),
    ("spin", "error", {"error": None}),
    ("value", "error", {"error": b'{"code":3,"stack":"x"}', "arguments": b'[{"code":3}]'}),
    ("spin", "error", {"error": b'{"code":-32000,"message":"LimitError","stack":"x"}'}),
    ("both", "result", {"arguments": b"[1]"}),
    ("who", "result", {"user": None}),
    ("who", "result", {"user": "eve"}),
    ("who", "userId", {"user": "ab" * 32}),
    ("get", "methodName", {"method": "add"}),
    ("get", "methodName", {"method": "none"}),
    ("get", "methodName", {"method": "init"}),
    ("get", "args", {"arguments": b"[" * 200 + b"]" * 200}),
    ("get", "args", {"arguments": b'{"0":1}'}),
    ("get", "epoch", {"epoch": 1}),
    ("get", "time", {"read_at": {"time_ms": 1}}),
    ("get", "filesVersion", {"read_at": {"files_version": 0}}),
    ("get", "filesRoot", {"read_at": {"files_root": "00" * 32}}),
    ("get", "gas", {"read_at": {"gas": 1}}),
    ("get", "seed", {"read_at": {"seed": "0" * 16}}),
    ("luck", "result", {"read_at": {"seed": "0" * 16}}),
    ("luck", "seed", {"read_at": {"seed": None}}),
]


@pytest.mark.parametrize(("method", "field", "lie"), LIES)
def test_each_lie_is_proved_false(
    verifier: Verifier,
    asked: tuple[Path, list[SavedAnswer]],
    method: str,
    field: str,
    lie: dict[str, Any],
) -> None:
    directory, kept = asked
    saved = next(saved for saved in kept if saved.answer.method == method)
    with pytest.raises(AnswerFalseError, match=r"^the answer in lie.json \(") as caught:
        verifier.verify(directory, answers=[changed(saved, **lie)])
    assert caught.value.divergence.field == field
    assert caught.value.exit_code == 1


def test_another_length_is_another_head(
    verifier: Verifier, asked: tuple[Path, list[SavedAnswer]]
) -> None:
    """Length, roots and signature belong together: no part of a head can be put into another."""
    directory, kept = asked
    one, other = kept[0].answer.read_at.head, kept[-1].answer.read_at.head
    for head in (
        replace(one, length=one.length + 1),
        replace(one, roots=other.roots),
        replace(one, signature=other.signature),
        replace(one, signature=bytes(64)),
        replace(one, byte_length=one.byte_length + 1),
        replace(one, length=0, byte_length=0, roots=(), signature=b""),
    ):
        lie = changed(kept[0], read_at={"head": head})
        with pytest.raises(ProvedFalseError) as caught:
            verifier.verify(directory, answers=[lie])
        assert caught.value.code == "answer-head"
    # The true head of another length: then it is the answer that differs.
    with pytest.raises(AnswerFalseError):
        verifier.verify(directory, answers=[changed(kept[0], read_at={"head": other})])


def test_the_signature_is_checked_before_anything_is_read(
    verifier: Verifier, asked: tuple[Path, list[SavedAnswer]], tmp_path: Path
) -> None:
    unsigned = changed(asked[1][0], key=bytes(32))
    with pytest.raises(ProvedFalseError) as caught:
        verifier.verify(tmp_path / "nothing", answers=[unsigned])
    assert caught.value.code == "answer-head"


def test_the_answer_of_another_backend_is_a_mistake(
    verifier: Verifier, engine: Engine, asked: tuple[Path, list[SavedAnswer]], tmp_path: Path
) -> None:
    other = Honest(engine, tmp_path / "other").run(SCRIPT, [("add",)])
    with pytest.raises(UsageError) as caught:
        verifier.verify(other.directory, answers=[asked[1][0]])
    assert caught.value.code == "answer-other"


def rewritten(directory: Path, target: Path, seq: int) -> Path:
    """A log that replays cleanly and is another from an entry on: a later time."""

    def later(blocks: list[bytes]) -> list[bytes]:
        entries = [json.loads(block) for block in blocks]
        for entry in entries[seq:]:
            place = entry.get("call", entry)
            place["time"] += 3_600_000
        return [spelled(entry) for entry in entries]

    return cheat_log(directory, target, later)


SIMPLE = """
let n = 0
exports.add = () => ++n
exports.get = System.readonly(() => n)
"""


@pytest.fixture(scope="module")
def simple(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[SavedAnswer]]:
    """Seven entries without files, and an answer at each length."""
    directory = tmp_path_factory.mktemp("simple") / "b"

    async def run() -> list[SavedAnswer]:
        async with Asker(directory, engine, SIMPLE) as asker:
            await asker.ask("get")
            for _ in range(6):
                await asker.client.call("add")
                await asker.ask("get")
            return asker.kept

    return directory, asyncio.run(run())


def test_a_stack_is_of_backends_in_debug_mode_alone(
    engine: Engine, verifier: Verifier, tmp_path: Path
) -> None:
    async def run() -> list[SavedAnswer]:
        async with Asker(tmp_path / "b", engine) as asker:
            await asker.ask("fail", '["x"]')
            return asker.kept

    (saved,) = asyncio.run(run())
    assert saved.answer.error is not None
    verifier.verify(tmp_path / "b", answers=[saved])
    lie = changed(saved, error=saved.answer.error[:-1] + b',"stack":"x"}')
    with pytest.raises(AnswerFalseError) as caught:
        verifier.verify(tmp_path / "b", answers=[lie])
    assert caught.value.divergence.field == "error"


@pytest.mark.parametrize("seq", [1, 3, 6])
def test_a_rewritten_log_is_a_fork_that_convinces_others(
    verifier: Verifier, simple: tuple[Path, list[SavedAnswer]], tmp_path: Path, seq: int
) -> None:
    directory, kept = simple
    forked = rewritten(directory, tmp_path / "forked", seq)
    verifier.verify(forked)
    verifier.verify(forked, answers=kept[:seq])
    for saved in kept[seq:]:
        with pytest.raises(ForkError) as caught:
            verifier.verify(forked, answers=[saved])
        evidence = caught.value.evidence
        assert evidence is not None
        evidence.check()
        assert saved.answer.read_at.head in (evidence.shorter, evidence.longer)


def test_a_shortened_log_is_false_from_its_backend_and_behind_elsewhere(
    verifier: Verifier, simple: tuple[Path, list[SavedAnswer]], tmp_path: Path
) -> None:
    directory, kept = simple
    short = cheat_log(directory, tmp_path / "short", lambda blocks: blocks[:4])
    assert len(verifier.verify(short, answers=kept[:4]).answers) == 4
    with pytest.raises(ProvedFalseError) as caught:
        verifier.verify(short, answers=[kept[5]])
    assert (caught.value.code, caught.value.exit_code) == ("log-shortened", 1)
    for expectations in (Expectations(from_others=True), Expectations(allow_older=True)):
        with pytest.raises(CouldNotCheckError) as missing:
            verifier.verify(short, expectations, answers=[kept[5]])
        assert (missing.value.code, missing.value.exit_code) == ("behind", 3)


def test_a_shorter_log_of_another_history_is_a_fork(
    verifier: Verifier, simple: tuple[Path, list[SavedAnswer]], tmp_path: Path
) -> None:
    directory, kept = simple
    forked = rewritten(directory, tmp_path / "forked", 1)
    short = cheat_log(forked, tmp_path / "short", lambda blocks: blocks[:4])
    with pytest.raises(ForkError) as caught:  # a root of the longer head stands over four entries
        verifier.verify(short, Expectations(from_others=True), answers=[kept[5]])
    assert caught.value.evidence is not None
    caught.value.evidence.check()


def test_a_logged_call_of_a_read_only_method_is_false(
    verifier: Verifier, simple: tuple[Path, list[SavedAnswer]], tmp_path: Path
) -> None:
    def rename(entry: Any) -> None:
        entry["call"]["methodName"] = "get"

    with pytest.raises(DivergenceError) as caught:
        verifier.verify(cheat_entry(simple[0], tmp_path / "lie", 3, rename))
    assert (caught.value.divergence.seq, caught.value.divergence.field) == (3, "methodName")


def test_what_is_false_before_an_answer_is_found_first(
    verifier: Verifier, simple: tuple[Path, list[SavedAnswer]], tmp_path: Path
) -> None:
    def change(entry: Any) -> None:
        entry["result"]["res"] = 9

    lie = cheat_entry(simple[0], tmp_path / "lie", 3, change)
    with pytest.raises(DivergenceError, match=r"^entry 3 "):
        verifier.verify(lie, answers=[simple[1][1]])


def test_a_copy_that_ends_before_an_answer_is_behind(
    verifier: Verifier, asked: tuple[Path, list[SavedAnswer]], tmp_path: Path
) -> None:
    """Of a part of a copy, answers beyond the entries whose files are here cannot be checked."""
    directory, kept = asked
    copy = copied(directory, tmp_path / "copy")
    for path in copy.rglob("secret_key"):
        path.unlink()
    (copy / "call-log.secret_key").unlink()
    content = copy / "files" / "content"
    for name in ("data", "tree", "signatures"):
        (content / name).write_bytes((content / name).read_bytes()[: 32 if name != "data" else 0])
    (content / "bitfield").unlink(missing_ok=True)
    part = Expectations(from_others=True, allow_older=True)
    with pytest.raises(CouldNotCheckError):
        verifier.verify(copy, part, answers=[kept[-1]])


MALFORMED: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("format", lambda d: d.update(format="nodevms-answer-2")),
    ("key", lambda d: d.update(key="ab")),
    ("spaces in the key", lambda d: d.update(key="ab " * 21 + "a")),
    ("member", lambda d: d.update(more=1)),
    ("epoch", lambda d: d.update(epoch=-1)),
    ("no call", lambda d: d.pop("call")),
    ("call member", lambda d: d["call"].update(more=1)),
    ("both", lambda d: d.update(error=1)),
    ("no head", lambda d: d["readonly"].pop("head")),
    ("head", lambda d: d["readonly"].update(head=[])),
    ("roots", lambda d: d["readonly"]["head"].update(roots=[{}] * 65)),
    ("length", lambda d: d["readonly"]["head"].update(length=1 << 60)),
    ("signature", lambda d: d["readonly"]["head"].update(signature="00")),
    ("root", lambda d: d["readonly"].update(filesRoot="xy" * 32)),
    ("seed", lambda d: d["readonly"].update(seed="UPPER")),
    ("gas", lambda d: d["readonly"].update(gas="1")),
]


@pytest.mark.parametrize(("what", "change"), MALFORMED)
def test_what_is_no_answer_is_a_mistake(
    simple: tuple[Path, list[SavedAnswer]], what: str, change: Callable[[dict[str, Any]], object]
) -> None:
    document = json.loads(simple[1][0].answer.to_json())
    change(document)
    with pytest.raises(UsageError, match="no saved answer"):
        ReadOnlyAnswer.from_json(json.dumps(document).encode())


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff", b"null", b"[" * 100_000, b"{" * 20_000_000]
)
def test_other_bytes_are_a_mistake(text: bytes) -> None:
    with pytest.raises(UsageError, match="no saved answer"):
        ReadOnlyAnswer.from_json(text)


def test_white_space_in_a_saved_answer_does_not_matter(
    verifier: Verifier, asked: tuple[Path, list[SavedAnswer]]
) -> None:
    directory, kept = asked
    plain = [saved for saved in kept if saved.answer.method in ("get", "luck", "who")]
    loose = [
        SavedAnswer(
            saved.name,
            ReadOnlyAnswer.from_json(
                json.dumps(json.loads(saved.answer.to_json()), indent=2).encode()
            ),
        )
        for saved in plain
    ]
    assert len(verifier.verify(directory, answers=loose).answers) == len(plain)
