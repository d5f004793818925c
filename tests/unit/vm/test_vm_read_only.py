"""Read-only calls: what they see, that nothing of them stays, and that they wait for nobody."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nodevms.errors import StorageError
from nodevms.feed import verify_head
from nodevms.sandbox import Engine
from nodevms.vm import VM, CallError, Limits
from nodevms.vm.backend import Backend, Logged
from nodevms.vm.errors import BackendClosedError, OutcomeUnknownError, QueueFullError
from nodevms.vm.read_only_calls import ReadOnlyCalls
from nodevms.vm.requests import Answer, Request
from nodevms.vm.store import Store

SCRIPT = """
let n = 0
exports.add = async () => { n++; await System.files.writeFile('/n', String(n)); return n }
exports.quiet = () => ++n
exports.loop = () => { n = -1; for (;;); }
exports.tampered = () => [({}).leak === undefined, [].map === undefined, typeof console.log, n]
exports.get = System.readonly(() => n)
exports.both = System.readonly(async () => [n, Number(await System.files.readFile('/n').catch(() => 0))])
exports.who = System.readonly(() => [System.caller.id, Date.now()])
exports.luck = System.readonly(() => Math.random())
exports.spin = System.readonly(() => { for (;;); })
exports.deep = System.readonly(k => { let v = 1; while (k--) v = [v]; return v })
exports.nothing = System.readonly(() => {})
exports.print = System.readonly(text => console.log(text))
exports.listing = System.readonly(() => System.files.readdir('/', { stat: true }))
exports.info = System.readonly(() => System.files.getInfo())
exports.history = System.readonly(() => System.files.history())
exports.tamper = System.readonly(async () => {
  n = 1000
  Object.prototype.leak = 1
  Array.prototype.map = undefined
  console.log = null
  exports.get = () => 'mine'
  setTimeout(() => { n = 2000 }, 1)
  await System.files.writeFile('/n', 'mine')
})
"""


@asynccontextmanager
async def deployed(
    engine: Engine, directory: Path, code: str = SCRIPT, **options: Any
) -> AsyncIterator[VM]:
    vm = VM(code, engine=engine)
    await vm.deploy(dir=directory, **options)
    try:
        yield vm
    finally:
        await vm.close()


def at(answer: Answer) -> tuple[int, str]:
    """The log's length and the result."""
    assert answer.read_at is not None
    assert answer.seq is None
    return answer.read_at.head.length, (answer.result or answer.error or b"").decode()


async def test_a_read_only_call_is_answered_and_not_logged(engine: Engine, tmp_path: Path) -> None:
    async with deployed(engine, tmp_path / "b") as vm:
        assert at(await vm.call("both", b"[]")) == (1, "[0,0]")
        assert await vm.exports.add() == 1
        answer = await vm.call("both", b"[]")
        assert at(answer) == (2, "[1,1]")
        assert answer.read_at is not None
        assert (answer.epoch, answer.read_at.files_version) == (0, 1)
        verify_head(vm.call_log.key, answer.read_at.head)
        last = vm.call_log.get(1)
        assert (last.call.time, last.result.filesRoot) == (  # type: ignore[union-attr]
            answer.read_at.time_ms,
            answer.read_at.files_root,
        )
        assert vm.call_log.length == 2
        assert await vm.exports.nothing() is None


async def test_what_a_read_only_call_sees_besides(engine: Engine, tmp_path: Path) -> None:
    async with deployed(engine, tmp_path / "b", debug=True, title="Read") as vm:
        await vm.exports.add()
        answer = await vm.call("who", b"[]", "bob")
        assert answer.read_at is not None
        assert json.loads(answer.result or b"") == ["bob", answer.read_at.time_ms]
        lucks = [await vm.call("luck", b"[]") for _ in range(2)]
        seeds = {luck.read_at.seed for luck in lucks if luck.read_at}
        assert len(seeds) == len({luck.result for luck in lucks}) == 2
        assert None not in seeds
        assert (await vm.exports.listing())[0]["stat"]["size"] == 1
        assert (await vm.exports.info())["version"] == 1
        assert await vm.exports.history() == [{"version": 1, "path": "/n", "type": "put"}]


async def test_nothing_that_a_read_only_call_does_stays(engine: Engine, tmp_path: Path) -> None:
    async with deployed(engine, tmp_path / "b") as vm:
        await vm.exports.add()
        for _ in range(3):
            with pytest.raises(CallError, match="ReadOnlyError") as caught:
                await vm.exports.tamper()
            assert caught.value.seq is None
        assert await vm.exports.both() == [1, 1]
        assert await vm.exports.tampered() == [True, False, "function", 1]
        assert await vm.exports.add() == 2
        assert await vm.exports.both() == [2, 2]


async def test_limits_end_a_read_only_call(engine: Engine, tmp_path: Path) -> None:
    limits = Limits(gas=30_000_000)
    async with deployed(engine, tmp_path / "b", limits=limits) as vm:
        with pytest.raises(CallError, match="Out of gas"):
            await vm.exports.spin()
        with pytest.raises(CallError, match="nests deeper than 128"):
            await vm.exports.deep(200)
        assert await vm.exports.get() == 0
        assert vm.call_log.length == 1


async def test_calls_that_are_undone_are_not_seen(engine: Engine, tmp_path: Path) -> None:
    async with deployed(engine, tmp_path / "b", limits=Limits(gas=30_000_000)) as vm:
        for count in range(1, 4):
            assert await vm.exports.quiet() == count
            assert await vm.exports.get() == count
            with pytest.raises(CallError, match="Out of gas"):
                await vm.exports.loop()
            assert at(await vm.call("get", b"[]")) == (1 + 2 * count, str(count))


async def test_restarts_and_upgrades_begin_anew(engine: Engine, tmp_path: Path) -> None:
    async with deployed(engine, tmp_path / "b") as vm:
        await vm.exports.add()
        await vm.exports.quiet()
    async with deployed(engine, tmp_path / "b") as vm:
        answer = await vm.call("both", b"[]")
        assert (at(answer), answer.epoch) == ((4, "[0,1]"), 3)
    logged = SCRIPT.replace("exports.get = System.readonly(() => n)", "exports.get = () => n")
    async with deployed(engine, tmp_path / "b", logged, upgrade=True) as vm:
        assert [m.readonly for m in vm.methods if m.name in ("get", "both")] == [False, True]
        assert (await vm.call("get", b"[]")).seq == 5
        assert at(await vm.call("both", b"[]")) == (6, "[0,1]")


MARKS = """
const f = () => 1
exports.property = () => 1
exports.property.readonly = true
exports.marked = System.readonly((a, b = 2) => a)
exports.inInit = () => 1
exports.init = () => { exports.inInit.readonly = true }
exports.truthy = Object.assign(() => 1, { readonly: 1 })
exports.getter = Object.defineProperty(() => 1, 'readonly', { get () { throw new Error('ran') } })
exports.inherited = Object.setPrototypeOf(() => 1, f)
f.readonly = true
exports.changed = System.readonly(() => (exports.changed.readonly = false))
exports.later = () => { exports.later.readonly = true }
exports.refused = () => { try { System.readonly({}) } catch (e) { return e.name + ': ' + e.message } }
Function.prototype.value = true
"""


async def test_marks_are_read_once(engine: Engine, tmp_path: Path) -> None:
    async with deployed(engine, tmp_path / "b", MARKS) as vm:
        marked = {method.name for method in vm.methods if method.readonly}
        assert marked == {"property", "marked", "inInit", "changed"}
        assert {m.parameters for m in vm.methods if m.name == "marked"} == {("a", "b")}
        assert (await vm.call("later", b"[]")).seq == 1
        assert (await vm.call("later", b"[]")).seq == 2
        assert (await vm.call("changed", b"[]")).seq is None
        assert (await vm.call("changed", b"[]")).seq is None
        assert await vm.exports.refused() == "TypeError: Only a function can be read-only"


async def test_a_long_call_is_not_waited_for(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read-only calls that come while a call burns its gas are answered before it ends."""
    running = threading.Event()
    execute = Backend.execute

    def executing(backend: Backend, request: Request) -> Logged:
        if request.method == "loop":
            running.set()
        return execute(backend, request)

    monkeypatch.setattr(Backend, "execute", executing)
    async with deployed(engine, tmp_path / "b", limits=Limits(gas=10_000_000_000)) as vm:
        await vm.exports.add()
        ended: list[str] = []
        long = vm.call("loop", b"[]")
        long.add_done_callback(lambda _: ended.append("loop"))
        behind = vm.call("add", b"[]")
        await asyncio.to_thread(running.wait)
        for _ in range(5):
            seen = at(await vm.call("both", b"[]"))[1]
            ended.append(seen)
        assert ended == ["[1,1]"] * 5
        assert json.loads((await long).error or b"")["code"] == "ERR_GAS"
        assert (await behind).result == b"2"
        assert at(await vm.call("both", b"[]")) == (4, "[2,2]")


async def test_a_long_read_only_call_holds_up_no_logged_one(engine: Engine, tmp_path: Path) -> None:
    async with deployed(engine, tmp_path / "b", limits=Limits(gas=10_000_000_000)) as vm:
        long = vm.call("spin", b"[]")
        for count in range(1, 6):
            assert await vm.exports.quiet() == count
            assert await vm.exports.get() == count
        assert not long.done()
        assert at(await long)[0] == 1


async def test_whoever_has_an_answer_finds_it_and_nothing_unsigned_is_seen(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a batch is being written, reads show the one before; from its answer on, that batch."""
    writing, go_on = threading.Event(), threading.Event()
    write = Store.write

    def slow(store: Store, blocks: list[bytes]) -> None:
        if store.log.length > 1:
            writing.set()
            assert go_on.wait(20)
        write(store, blocks)

    monkeypatch.setattr(Store, "write", slow)
    async with deployed(engine, tmp_path / "b") as vm:
        assert await vm.exports.add() == 1
        second, third = vm.call("add", b"[]"), vm.call("add", b"[]")
        await asyncio.to_thread(writing.wait)
        assert at(await vm.call("both", b"[]")) == (2, "[1,1]")
        go_on.set()
        assert (await second).result == b"2"
        length, seen = at(await vm.call("both", b"[]"))
        assert (length, seen) in {(3, "[2,2]"), (4, "[3,3]")}
        await third
        assert at(await vm.call("both", b"[]")) == (4, "[3,3]")


async def test_memory_and_files_agree_under_load(engine: Engine, tmp_path: Path) -> None:
    """Many of both at once: each answer is one moment's, and no caller goes back in time."""
    async with deployed(engine, tmp_path / "b") as vm:

        async def write() -> None:
            for _ in range(40):
                answer = await vm.call("add", b"[]")
                assert answer.seq is not None
                length, seen = at(await vm.call("both", b"[]"))
                assert length > answer.seq
                n, stored = json.loads(seen)
                assert n == stored >= int(answer.result or 0)

        async def read() -> None:
            before = 0
            while not all(writer.done() for writer in writers):
                answer = await vm.call("both", b"[]")
                length, seen = at(answer)
                assert answer.read_at is not None
                verify_head(vm.call_log.key, answer.read_at.head)
                n, stored = json.loads(seen)
                assert n == stored == length - 1 == answer.read_at.files_version
                assert length >= before
                before = length

        writers = [asyncio.ensure_future(write()) for _ in range(4)]
        await asyncio.gather(*writers, *(read() for _ in range(3)))
        assert await vm.exports.both() == [160, 160]


async def test_the_queue_of_read_only_calls_has_a_bound_of_its_own(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    run = ReadOnlyCalls.run

    def waiting(calls: ReadOnlyCalls, request: Request) -> Answer:
        assert go_on.wait(20)
        return run(calls, request)

    monkeypatch.setattr(ReadOnlyCalls, "run", waiting)
    async with deployed(engine, tmp_path / "b", queue_max=3) as vm:
        accepted = [vm.call("get", b"[]")]
        while len(accepted) < 20:
            try:
                accepted.append(vm.call("get", b"[]"))
            except QueueFullError:
                break
        assert 3 <= len(accepted) <= 5  # two may run
        assert await vm.exports.quiet() == 1
        go_on.set()
        assert [at(await answer)[1] for answer in accepted[-3:]] == ["1"] * 3


async def test_a_stop_drains_or_refuses_what_waits(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()
    run = ReadOnlyCalls.run

    def waiting(calls: ReadOnlyCalls, request: Request) -> Answer:
        begun.release()
        assert go_on.wait(20)
        return run(calls, request)

    monkeypatch.setattr(ReadOnlyCalls, "run", waiting)
    async with deployed(engine, tmp_path / "b") as vm:
        answers = [vm.call("get", b"[]") for _ in range(6)]
        for _ in range(2):
            await asyncio.to_thread(begun.acquire)
        vm.refuse_waiting()
        refused = await asyncio.gather(*answers[2:], return_exceptions=True)
        assert {type(one) for one in refused} == {BackendClosedError}
        drained = [*answers[:2], *(vm.call("get", b"[]") for _ in range(4))]
        closing = asyncio.ensure_future(vm.close())
        go_on.set()
        await closing
        assert [at(answer.result())[1] for answer in drained] == ["0"] * 6
        with pytest.raises(BackendClosedError):
            vm.call("get", b"[]")


async def test_a_failed_write_is_never_seen(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Store.write
    failing = True

    def full(store: Store, blocks: list[bytes]) -> None:
        if failing and store.log.length == 2:
            raise StorageError("the disk is full")
        write(store, blocks)

    monkeypatch.setattr(Store, "write", full)
    async with deployed(engine, tmp_path / "b") as vm:
        assert await vm.exports.add() == 1
        with pytest.raises(OutcomeUnknownError):
            await vm.exports.add()
        failing = False
        while True:
            try:
                length, seen = at(await vm.call("both", b"[]"))
            except BackendClosedError:
                await asyncio.sleep(0.01)
                continue
            assert (length, seen) in {(2, "[1,1]"), (3, "[0,1]")}
            if length == 3:
                break


async def test_what_cannot_be_sealed_is_not_read(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a point of the newest batch no read-only call runs; logged calls go on."""
    seal = Backend.seal
    fail = False

    def sealing(backend: Backend, batch: list[Logged]) -> None:
        if fail:
            monkeypatch.setattr(backend._execution, "point", lambda: 1 / 0)
            seal(backend, batch)
            monkeypatch.undo()
        else:
            seal(backend, batch)

    monkeypatch.setattr(Backend, "seal", sealing)
    async with deployed(engine, tmp_path / "b") as vm:
        await vm.exports.add()
        fail = True
        assert await vm.exports.add() == 2
        with pytest.raises(BackendClosedError, match="at this moment"):
            await vm.exports.both()
        fail = False
        assert await vm.exports.add() == 3
        assert await vm.exports.both() == [3, 3]


async def test_scripts_without_read_only_methods_have_no_readers(
    engine: Engine, tmp_path: Path
) -> None:
    async with deployed(engine, tmp_path / "b", "exports.f = () => 1") as vm:
        await vm.exports.f()
        assert not [t for t in threading.enumerate() if t.name.startswith("nodevms-reader")]


async def test_what_is_printed_reaches_the_log_without_an_entry(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "nodevms.script"):
        async with deployed(engine, tmp_path / "b") as vm:
            await vm.exports.print("hello")
    record = next(record for record in caplog.records if record.message == "hello")
    assert record.seq is None  # type: ignore[attr-defined]
