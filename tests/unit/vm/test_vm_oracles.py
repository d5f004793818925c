"""Oracles of a live backend: what their functions find, what leaves them, what they may use."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from nodevms.audit import Verifier
from nodevms.sandbox import Engine
from nodevms.vm import VM, Limits
from nodevms.vm.live_oracles import World
from nodevms.vm.requests import Answer

CLOCK_MS = 1_700_000_000_000


class Backend:
    """A backend whose oracles have a clock that moves and entropy that counts."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine = engine
        self.directory = directory
        self.now = CLOCK_MS
        self.entropy_asked: list[int] = []
        self.seconds_each = 0.0
        self.seconds = 0.0
        self.vm: VM | None = None

    def clock(self) -> int:
        self.now += 1000
        return self.now

    def monotonic(self) -> float:
        self.seconds += self.seconds_each
        return self.seconds

    def entropy(self, count: int) -> bytes:
        self.entropy_asked.append(count)
        return bytes(range(1, 256))[: min(count, 255)].ljust(count, b"\7")

    async def start(self, code: str, **limits: int) -> VM:
        self.vm = VM(
            code,
            engine=self.engine,
            clock=self.clock,
            seeds=lambda: "0123456789abcdef",
            world=World(self.clock, self.monotonic, self.entropy),
        )
        await self.vm.deploy(dir=self.directory, limits=Limits(**limits))
        return self.vm

    async def answer(self, method: str = "f", *arguments: object) -> Answer:
        assert self.vm is not None
        return await self.vm.call(method, json.dumps(arguments).encode())

    async def value(self, method: str = "f", *arguments: object) -> Any:
        answer = await self.answer(method, *arguments)
        assert answer.error is None, answer.error
        return None if answer.result is None else json.loads(answer.result)

    async def error(self, method: str = "f", *arguments: object) -> Any:
        answer = await self.answer(method, *arguments)
        assert answer.error is not None, answer.result
        return json.loads(answer.error)

    async def result(self, seq: int = -1) -> Any:
        """Return the result of an entry, by default the last one's."""
        assert self.vm is not None
        log = self.vm.call_log
        entries = [json.loads(log.block(n)) for n in range(log.length)]
        return entries[seq]["result"]


@pytest.fixture
async def backend(engine: Engine, tmp_path: Path) -> AsyncIterator[Backend]:
    """Give a backend; whatever it did must verify, to the same memory."""
    made = Backend(engine, tmp_path / "backend")
    yield made
    if made.vm is not None:
        live = made.vm._lifetime.running.backend.heap_hash()  # type: ignore[union-attr]
        await made.vm.close()
        assert Verifier(engine).verify(made.directory).heap_hash == live


async def test_only_an_oracle_has_the_true_clock(backend: Backend) -> None:
    await backend.start(
        "exports.f = async () => [Date.now(), await System.oracle(() => [Date.now(), +new Date()]), Date.now()]"
    )
    before, (first, second), after = await backend.value()
    assert before == after
    assert before < first < second


async def test_only_an_oracle_has_true_randomness(backend: Backend) -> None:
    code = """
    const draw = () => [Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(4))]]
    exports.inside = () => System.oracle(draw)
    exports.outside = draw
    """
    await backend.start(code)
    number, uuid, values = await backend.value("inside")
    assert backend.entropy_asked == [32, 16, 4]
    assert (uuid, values) == ("01020304-0506-4708-890a-0b0c0d0e0f10", [1, 2, 3, 4])
    assert 0 <= number < 1
    assert await backend.value("outside") == await backend.value("outside")
    assert backend.entropy_asked == [32, 16, 4]
    assert "seed" not in json.dumps(await backend.result(1))


async def test_the_call_s_own_random_numbers_go_on_as_if_nothing_was_asked(
    backend: Backend,
) -> None:
    await backend.start(
        """exports.f = async ask => {
             const first = Math.random()
             if (ask) await System.oracle(() => Math.random())
             return [first, Math.random()]
           }"""
    )
    assert await backend.value("f", True) == await backend.value("f", False)


async def test_nothing_but_the_value_leaves(backend: Backend) -> None:
    await backend.start(
        """
        let kept = 1, jobs = []
        exports.f = async () => {
          Promise.resolve().then(() => jobs.push('mine'))
          setTimeout(() => jobs.push('timer'), 1)
          const given = await System.oracle(async () => {
            kept = 2
            globalThis.more = 3
            Array.prototype.push = null
            System.caller.id
            await null
            return {kept, more, jobs}
          })
          return [given, kept, typeof more, jobs, typeof [].push]
        }"""
    )
    given, *here = await backend.value()
    assert given == {"kept": 2, "more": 3, "jobs": []}
    assert here == [1, "undefined", ["mine"], "function"]


async def test_an_oracle_sees_what_the_call_wrote(backend: Backend) -> None:
    await backend.start(
        """exports.f = async () => {
             await System.files.writeFile('/a', 'here')
             return System.oracle(async () => [await System.files.readFile('/a'), await System.files.readdir('/')])
           }"""
    )
    assert await backend.value() == ["here", ["a"]]


@pytest.mark.parametrize(
    ("body", "name", "message"),
    [
        ("System.files.writeFile('/a', 1)", "ReadOnlyError", "cannot change files"),
        ("System.files.mkdir('/a')", "ReadOnlyError", "cannot change files"),
        ("System.files.rmdir('/a')", "ReadOnlyError", "cannot change files"),
        ("System.files.unlink('/a')", "ReadOnlyError", "cannot change files"),
        ("System.files.copy('/a', '/b')", "ReadOnlyError", "cannot change files"),
        ("System.files.rename('/a', '/b')", "ReadOnlyError", "cannot change files"),
        ("console.log(1)", "TypeError", "console cannot be used in System.oracle"),
        ("System.oracle(() => 1)", "Error", "System.oracle cannot be used in System.oracle"),
    ],
)
async def test_what_an_oracle_may_not_do(
    backend: Backend, body: str, name: str, message: str
) -> None:
    await backend.start(f"exports.f = () => System.oracle(() => {body})")
    error = await backend.error()
    assert error["name"] == name
    assert message in error["message"]
    result = await backend.result()
    assert "changes" not in result
    assert len(result["oracles"]) == 1


@pytest.mark.parametrize(
    "argument",
    ["undefined", "null", "1", "'() => 1'", "{}", "Math.random", "System.files.readFile",
     "(() => 1).bind(null)", "new Proxy(() => 1, {})", "console.log", "Function.prototype"],
)  # fmt: skip
async def test_only_a_function_of_the_script_is_an_oracle(backend: Backend, argument: str) -> None:
    await backend.start(f"exports.f = () => System.oracle({argument})")
    assert "takes a function that the script wrote" in (await backend.error())["message"]
    assert "oracles" not in await backend.result()


@pytest.mark.parametrize(
    ("body", "item"),
    [
        ("7", {"res": 7}),
        ("undefined", {}),
        ("null", {"res": None}),
        ("() => 1", {}),
        ("Promise.resolve({a: ['\\ud800']})", {"res": {"a": ["\ud800"]}}),
        ("new Promise(r => setTimeout(r, 3600000, 'later'))", {"res": "later"}),
        ("{toJSON: () => 'json'}", {"res": "json"}),
        ("Promise.reject('plain')", {"err": {"value": "plain"}}),
        ("Promise.reject(undefined)", {"err": {}}),
        ("null.x", {"err": {"name": "TypeError", "message": "cannot read property 'x' of null"}}),
        (
            "Promise.reject(Object.assign(new RangeError('r'), {code: 'C'}))",
            {"err": {"name": "RangeError", "message": "r", "code": "C"}},
        ),
        (
            "new Promise(() => {})",
            {"err": {"name": "LimitError", "message": "The promise that the oracle returned never settles", "code": "ERR_NEVER_SETTLED"}},
        ),
        (
            "(() => { const a = []; for (;;) a.push(new Uint8Array(1 << 20)) })()",
            {"err": {"name": "LimitError", "message": "Out of memory or stack: an oracle may use 67,108,864 bytes", "code": "ERR_MEMORY"}},
        ),
        (
            "(() => { for (;;); })()",
            {"err": {"name": "LimitError", "message": "Out of gas: an oracle may use 200,000,000", "code": "ERR_GAS"}},
        ),
        (
            "'x'.repeat(262399)",
            {"err": {"name": "LimitError", "message": "The oracle gave 262,401 bytes; 262,400 are left", "code": "ERR_ORACLE_SIZE"}},
        ),
        (
            "JSON.parse('['.repeat(129) + ']'.repeat(129))",
            {"err": {"name": "LimitError", "message": "The value nests deeper than 128 levels", "code": "ERR_ORACLE_DEPTH"}},
        ),
    ],
)  # fmt: skip
async def test_what_an_oracle_ends_with_is_in_the_entry_and_in_the_script(
    backend: Backend, body: str, item: dict[str, Any]
) -> None:
    source = f"() => ({body})"
    await backend.start(f"exports.f = () => System.oracle({source})", gas=200_000_000)
    answer = await backend.answer()
    result = await backend.result()
    wanted = {"source": sha256(source.encode()).hexdigest(), **item}
    assert result["oracles"] == [wanted]
    if "err" in item:
        assert answer.error is not None
        assert json.loads(answer.error) == item["err"]
    else:
        assert answer.error is None
        assert (answer.result is None) == ("res" not in item)
        assert json.loads(answer.result or b"null") == item.get("res")


async def test_an_error_of_an_oracle_is_an_error_of_its_class(backend: Backend) -> None:
    await backend.start(
        """exports.f = async name => {
             try { await System.oracle(() => { throw new TypeError('t') }) } catch (e) {
               return [e instanceof TypeError, e.message, typeof e.stack]
             }
           }"""
    )
    assert await backend.value() == [True, "t", "string"]


async def test_source_text_in_the_entry_is_hashed_as_utf_8(backend: Backend) -> None:
    source = "function öracle () { return 'é\u2028😀' }"
    await backend.start(f"exports.f = () => System.oracle({source})")
    assert await backend.value() == "é\u2028😀"
    hashed = sha256(source.encode()).hexdigest()
    assert (await backend.result())["oracles"][0]["source"] == hashed


async def test_oracles_are_counted(backend: Backend) -> None:
    await backend.start(
        """exports.f = async n => {
             for (let i = 0; i < n; i++) await System.oracle(() => 1)
             return 'all'
           }""",
        oracles=3,
    )
    assert await backend.value("f", 3) == "all"
    assert await backend.error("f", 4) == {
        "name": "LimitError", "message": "A call may ask 3 oracles", "code": "ERR_ORACLES"
    }  # fmt: skip
    assert len((await backend.result())["oracles"]) == 3


async def test_the_values_of_a_call_share_their_bytes(backend: Backend) -> None:
    await backend.start(
        """exports.f = async (...sizes) => {
             const given = []
             for (const size of sizes) {
               globalThis.size = size
               given.push((await System.oracle(() => 'x'.repeat(size))).length)
             }
             return given
           }""",
        oracle_bytes=1000,
    )
    assert await backend.value("f", 1000, 400, 240, 240) == [1000, 400, 240, 240]
    error = await backend.error("f", 1000, 600)
    assert error["message"] == "The oracle gave 602 bytes; 510 are left"


async def test_an_undone_call_keeps_its_oracles_and_has_no_changes(backend: Backend) -> None:
    await backend.start(
        """exports.f = async () => {
             await System.files.writeFile('/lost', 1)
             await System.oracle(() => 'asked')
             for (;;);
           }
           exports.list = () => System.files.readdir('/')""",
        gas=200_000_000,
    )
    assert (await backend.error())["code"] == "ERR_GAS"
    result = await backend.result()
    assert [oracle["res"] for oracle in result["oracles"]] == ["asked"]
    assert "changes" not in result
    assert await backend.value("list") == []


async def test_going_back_asks_no_oracle_again(backend: Backend) -> None:
    """An undo runs the calls since the last snapshot again, with the answers that were given."""
    await backend.start(
        """let last
           exports.ask = async () => (last = await System.oracle(() => Date.now()))
           exports.last = () => last
           exports.spin = () => { for (;;); }""",
        gas=200_000_000,
    )
    given = await backend.value("ask")
    asked = backend.now
    assert (await backend.error("spin"))["code"] == "ERR_GAS"
    assert backend.now == asked + 1000  # the time of the call that was undone
    assert await backend.value("last") == given


async def test_oracles_in_loading_and_in_init(backend: Backend) -> None:
    vm = await backend.start(
        """let loaded
           System.oracle(() => 'loaded').then(value => { loaded = value })
           exports.init = async () => System.files.writeFile('/begun', loaded + await System.oracle(() => 'begun'))
           exports.f = () => System.files.readFile('/begun')"""
    )
    assert await backend.value() == "loadedbegun"
    assert [o["res"] for o in (await backend.result(vm.epoch))["oracles"]] == ["loaded", "begun"]


async def test_an_oracle_deep_in_a_recursion(backend: Backend) -> None:
    await backend.start(
        """exports.f = n => n > 0 ? (() => exports.f(n - 1))() : System.oracle(() => 'deep')
           exports.bottom = () => {
             let frames = 0
             const fall = () => { frames++; try { return fall() } catch (e) { return frames } }
             return System.oracle(() => fall() > 100)
           }"""
    )
    assert await backend.value("f", 1000) == "deep"
    assert await backend.value("bottom") is True


async def test_a_call_pays_the_same_whatever_the_function_does(backend: Backend) -> None:
    await backend.start(
        """exports.f = work => System.oracle(() => {
             for (let i = 0; i < work; i++);
             return 1
           })"""
    )
    gas = []
    for work in (10, 99_990):
        await backend.value("f", work)
        gas.append((await backend.result())["gas"])
    assert abs(gas[0] - gas[1]) < 10_000  # the arguments have other lengths


async def test_what_copying_costs_is_paid_before(backend: Backend) -> None:
    await backend.start("exports.f = () => System.oracle(() => Date.now())", gas=5_000_000)
    assert (await backend.error())["code"] == "ERR_GAS"
    assert "oracles" not in await backend.result()


async def test_the_time_of_all_oracles_of_a_call_is_limited(
    backend: Backend,
) -> None:
    backend.seconds_each = 2
    await backend.start(
        """exports.f = async () => {
             const given = []
             for (let i = 0; i < 3; i++) given.push(await System.oracle(() => i).catch(e => e.code))
             return given
           }""",
        oracle_seconds=3,
    )
    assert await backend.value() == [0, 1, "ERR_ORACLE_TIME"]


async def test_hostile_prototypes_change_nothing(backend: Backend) -> None:
    await backend.start(
        """
        Function.prototype.toString = () => 'forged'
        Promise.prototype.then = () => { throw new Error('then') }
        globalThis.Promise = null
        JSON.parse = JSON.stringify = Reflect.construct = () => 'forged'
        Object.prototype.err = {name: 'Forged', message: ''}
        Object.prototype.res = 'forged'
        globalThis.TypeError = Error
        exports.f = () => System.oracle(() => 'true')
        exports.nothing = () => System.oracle(() => {})
        """
    )
    assert await backend.value("f") == "true"
    assert await backend.value("nothing") is None


def test_the_codes_are_stable() -> None:
    sources = Path(__file__).resolve().parents[3] / "src" / "nodevms"
    text = (sources / "sandbox" / "fork.py").read_text() + (
        sources / "vm" / "oracles.py"
    ).read_text()
    assert set(re.findall(r'"(ERR_\w+)"', text)) == {
        *("ERR_ORACLE_TIME", "ERR_ORACLE_SIZE", "ERR_ORACLE_DEPTH", "ERR_ORACLES"),
        *("ERR_GAS", "ERR_MEMORY", "ERR_NEVER_SETTLED"),
    }
