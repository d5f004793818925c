"""Whatever an honest backend goes through, its records verify; and it stays honest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import cheating_host as host
import pytest
from backends import COUNTER
from cheating_host import Honest
from eventful import CALLS, EVERYTHING, LONE, QUICK

from nodevms.audit.verifier import Report, Verifier
from nodevms.errors import UsageError
from nodevms.sandbox import Engine
from nodevms.vm.errors import DirectoryError, LockedError, ScriptError
from nodevms.vm.exports import CallError
from nodevms.vm.limits import Limits
from nodevms.vm.script import code_hash
from nodevms.vm.vm import VM


@pytest.fixture(scope="module")
def verifier(engine: Engine) -> Verifier:
    return Verifier(engine)


@pytest.fixture
def honest(engine: Engine, tmp_path: Path) -> Honest:
    return Honest(engine, tmp_path / "backend")


@pytest.fixture(scope="module")
def everything(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Honest:
    honest = Honest(engine, tmp_path_factory.mktemp("everything") / "backend")
    return honest.run(EVERYTHING, CALLS, limits=QUICK)


def kinds(report: Report) -> list[tuple[int, str]]:
    return [(epoch.seq, epoch.kind) for epoch in report.epochs]


def test_errors_traps_timers_and_files_verify(verifier: Verifier, everything: Honest) -> None:
    report = verifier.verify(everything.directory)
    assert report.entries == len(CALLS) + 1
    assert report.calls == len(CALLS)
    assert not report.lag


def test_the_run_was_as_eventful_as_it_should_be(everything: Honest) -> None:
    answers = dict(zip([call[0] for call in CALLS], everything.answers, strict=True))
    for method in ("failWithNothing", "spin", "recurse", "allocate", "never", "circular", "big"):
        assert isinstance(answers[method], CallError), method
    for method in ("deep", "large", "ticks", "wait", "abandoned", "leaveTimer", "random"):
        assert not isinstance(answers[method], CallError), (method, str(answers[method]))
    assert answers["lone"] == LONE
    assert everything.answers[2] == LONE
    assert answers["notANumber"] is answers["nothing"] is answers["aFunction"] is None
    results = [entry["result"] for entry in host.log_of(everything.directory)[1:]]
    named = dict(zip([call[0] for call in CALLS], results, strict=True))
    assert named["notANumber"]["res"] is None
    assert "res" not in named["nothing"]
    assert "changes" not in named["spin"]
    assert named["failAfterWriting"]["changes"][0]["path"] == "/kept"


def test_what_a_trapped_call_did_is_undone(everything: Honest) -> None:
    counts = [a for c, a in zip(CALLS, everything.answers, strict=True) if c == ("count",)]
    assert counts == [1, 2, 3, 4]


def test_restarts_verify(verifier: Verifier, honest: Honest) -> None:
    for _ in range(3):
        honest.run(COUNTER, [("increment",)] * 2)
    assert honest.answers == [1, 2, 3, 4, 5, 6]
    report = verifier.verify(honest.directory)
    assert kinds(report) == [(0, "init"), (3, "restart"), (6, "restart")]
    assert report.publications > 0
    assert report.published_entries == 9


def test_a_restart_with_other_limits_verifies(verifier: Verifier, honest: Honest) -> None:
    spin = "exports.spin = () => { for (;;); }"
    honest.run(spin, [("spin",)], limits=QUICK)
    honest.run(spin, [("spin",)], limits=Limits(gas=1_000_000))
    report = verifier.verify(honest.directory)
    gas = [entry["result"]["gas"] for entry in host.log_of(honest.directory) if "call" in entry]
    assert gas[1] < gas[0]
    assert report.calls == 2


def test_upgrades_verify(verifier: Verifier, honest: Honest) -> None:
    upgraded = (
        COUNTER.replace("i++", "i += 10")
        + "\nexports.upgrade = () => fs.writeFile('/upgraded', String(Math.random()))\n"
    )
    honest.run(COUNTER, [("increment",)])
    honest.run(upgraded, [("increment",)], upgrade=True)
    honest.run(upgraded, [("increment",)])
    honest.run(COUNTER, [("increment",)], upgrade=True)
    honest.run(COUNTER, [("increment",)], upgrade=True)
    assert honest.answers == [1, 11, 21, 22, 23]
    report = verifier.verify(honest.directory)
    assert [kind for _, kind in kinds(report)] == [
        "init", "upgrade", "restart", "upgrade", "restart",
    ]  # fmt: skip
    assert report.epochs[1].code_hash == code_hash(upgraded)


def test_an_init_that_writes_verifies(verifier: Verifier, honest: Honest) -> None:
    code = """
    const fs = System.files
    exports.init = async () => {
      await fs.mkdir('/data')
      await fs.writeFile('/data/' + Math.random(), new Date().toISOString())
    }
    exports.list = () => fs.readdir('/data')
    """
    honest.run(code, [("list",)]).run(code, [("list",)])
    assert honest.answers[0] == honest.answers[1]
    assert len(honest.answers[0]) == 1
    assert verifier.verify(honest.directory).files_version > 0


def test_large_files_verify(verifier: Verifier, honest: Honest) -> None:
    honest.run(EVERYTHING, [("large", 3_000_000), ("large", 0), ("large", 65_537)])
    assert honest.answers == [3_000_000, 0, 65_537]
    verifier.verify(honest.directory)


def test_callers_verify(verifier: Verifier, engine: Engine, tmp_path: Path) -> None:
    honest = Honest(engine, tmp_path / "backend", debug=True)
    code = "exports.who = () => System.caller.id"
    honest.run(code, [("who",), ("who", {"caller": "bob"}), ("who", {"caller": "é\u2028"})])
    assert honest.answers == [None, "bob", "é\u2028"]
    assert verifier.verify(honest.directory).debug


def test_a_clock_that_goes_back_a_little_verifies(verifier: Verifier, honest: Honest) -> None:
    honest.run(COUNTER, [("increment",)] * 2)
    honest.run(COUNTER, [("increment",)] * 2, start_ms=host.START_MS - 60_000)
    verifier.verify(honest.directory)
    times = [e["call"]["time"] for e in host.log_of(honest.directory) if "call" in e]
    assert times == sorted(times)


async def test_calls_that_wait_together_verify(
    engine: Engine, verifier: Verifier, tmp_path: Path
) -> None:
    vm = VM(COUNTER, engine=engine)
    await vm.deploy(dir=tmp_path / "backend")
    answers = await asyncio.gather(*[vm.call("increment", b"[]") for _ in range(200)])
    assert [answer.seq for answer in answers] == list(range(1, 201))
    assert [answer.result for answer in answers] == [b"%d" % n for n in range(1, 201)]
    await vm.close()
    report = await asyncio.to_thread(verifier.verify, tmp_path / "backend")
    assert report.calls == 200


async def test_a_running_backend_verifies(
    engine: Engine, verifier: Verifier, tmp_path: Path
) -> None:
    vm = VM(COUNTER, engine=engine)
    await vm.deploy(dir=tmp_path / "backend")
    try:
        await vm.exports.increment()
        report = await asyncio.to_thread(verifier.verify, tmp_path / "backend")
        assert report.entries == 2
        with pytest.raises(LockedError):
            await VM(COUNTER, engine=engine).deploy(dir=tmp_path / "backend")
        assert await vm.exports.increment() == 2
    finally:
        await vm.close()


# --- refusals


def test_another_script_is_refused_with_both_hashes(honest: Honest, verifier: Verifier) -> None:
    other = COUNTER + "// changed\n"
    honest.run(COUNTER, [("increment",)])
    with pytest.raises(DirectoryError) as caught:
        honest.run(other)
    assert code_hash(COUNTER) in str(caught.value)
    assert code_hash(other) in str(caught.value)
    assert caught.value.code == "directory-script"
    assert verifier.verify(honest.directory).entries == 2


@pytest.mark.parametrize("debug", [False, True])
def test_another_debug_setting_is_refused(engine: Engine, tmp_path: Path, debug: bool) -> None:
    first = Honest(engine, tmp_path / "backend", debug=debug).run(COUNTER)
    with pytest.raises(DirectoryError) as caught:
        Honest(engine, first.directory, debug=not debug).run(COUNTER)
    assert caught.value.code == "directory-debug"
    assert len(host.log_of(first.directory)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "exports.init = () => { throw new Error('no') }; exports.f = () => 1",
        "exports.init = () => new Promise(() => {}); exports.f = () => 1",
        "exports.init = () => { for (;;); }; exports.f = () => 1",
        "exports.init = async () => { await System.files.mkdir('/a/b/c') }; exports.f = () => 1",
        "throw new Error('no')",
        "exports.f = (",
        "exports.f = 1",
        "",
    ],
)
@pytest.mark.parametrize("in_place", [False, True])
def test_a_start_that_fails_leaves_nothing(
    engine: Engine, tmp_path: Path, code: str, in_place: bool
) -> None:
    directory = tmp_path / "backend"
    if in_place:
        directory.mkdir()
    with pytest.raises(ScriptError):
        Honest(engine, directory).run(code, limits=QUICK)
    assert [path.name for path in tmp_path.rglob("*")] == (["backend"] if in_place else [])


def test_a_failing_upgrade_leaves_the_log_as_it_was(verifier: Verifier, honest: Honest) -> None:
    honest.run(COUNTER, [("increment",)])
    with pytest.raises(ScriptError):
        honest.run("exports.upgrade = () => { throw 1 }; exports.f = () => 1", upgrade=True)
    assert verifier.verify(honest.directory).entries == 2
    honest.run(COUNTER, [("increment",)])
    assert honest.answers == [1, 2]
    assert verifier.verify(honest.directory).entries == 4


async def test_another_title_is_refused(engine: Engine, tmp_path: Path) -> None:
    vm = VM(COUNTER, engine=engine)
    await vm.deploy(dir=tmp_path / "backend", title="One")
    assert vm.title == "One"
    await vm.close()
    with pytest.raises(DirectoryError) as caught:
        await VM(COUNTER, engine=engine).deploy(dir=tmp_path / "backend", title="Two")
    assert caught.value.code == "directory-title"


def test_a_clock_far_behind_the_log_is_refused(honest: Honest, verifier: Verifier) -> None:
    honest.run(COUNTER, [("increment",)])
    with pytest.raises(Exception, match="clock") as caught:
        honest.run(COUNTER, start_ms=host.START_MS - 2 * 3_600_000)
    assert getattr(caught.value, "code", None) == "clock"
    assert verifier.verify(honest.directory).entries == 2


async def test_limits_out_of_range_are_refused(engine: Engine, tmp_path: Path) -> None:
    for limits in (Limits(gas=0), Limits(gas=10**12), Limits(memory_bytes=2**40)):
        with pytest.raises(UsageError) as caught:
            await VM(COUNTER, engine=engine).deploy(dir=tmp_path / "backend", limits=limits)
        assert caught.value.code == "limits"
    assert not (tmp_path / "backend").exists()


def test_a_stopped_call_after_file_calls_verifies(verifier: Verifier, honest: Honest) -> None:
    honest.run(
        EVERYTHING,
        [("write", "/a", "one"), ("never",), ("write", "/a", "two"), ("never",)],
        limits=QUICK,
    )
    assert verifier.verify(honest.directory).files_version == 2
