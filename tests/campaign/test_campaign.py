"""A short campaign: random backends come to the same in this process and elsewhere.

Elsewhere is another process, another release of wasmtime, and another Python where there is one.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom

import elsewhere
import pieces
import pytest
from campaign import Campaign, Here
from elsewhere import OtherProcess
from live_run import ANSWERS, live
from random_cases import Call, Case, Epoch, random_case
from random_scripts import ScriptWriter
from replayer import MODES

from nodevms.sandbox import Engine
from nodevms.sandbox.image import Image, SparseImage
from nodevms.sandbox.instance import Instance

SECONDS = 20
CASES_MIN = 4


@pytest.fixture(scope="module")
def others() -> Iterator[list[OtherProcess]]:
    """Without PyPI, the first time, this fails: nothing else can be compared."""
    pythons, mine = elsewhere.pythons(), f"3.{sys.version_info.minor}"
    other = [path for minor, path in pythons.items() if minor != mine] or [sys.executable]
    old = elsewhere.environment(other[-1], elsewhere.OLDEST, elsewhere.wheel())
    replayers = [OtherProcess(elsewhere.here()), OtherProcess(old)]
    yield replayers
    for replayer in replayers:
        replayer.close()


@pytest.mark.timeout(400)
def test_random_backends_come_to_the_same_everywhere(
    engine: Engine, others: list[OtherProcess], tmp_path: Path
) -> None:
    assert others[1].about["wasmtime"] == elsewhere.OLDEST != others[0].about["wasmtime"]
    assert [other.about["engine"] for other in others] == [engine.id] * 2
    campaign = Campaign(engine, [Here(engine), *others])
    first = seed = SystemRandom().randrange(10**9)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or seed < first + CASES_MIN:
        difference = campaign.run(seed, tmp_path / "kept")
        assert difference is None, (
            f"{difference}\nmake soak ARGS='--seed {seed} --cases 1' repeats it"
        )
        seed += 1
    print(f"seeds {first} to {seed - 1}: {dict(campaign.counts)}")
    assert campaign.counts["entries compared"] > 0


def test_a_case_survives_as_json() -> None:
    case = random_case(7)
    assert case == random_case(7) == Case.from_json(case.to_json())
    assert case != random_case(8)


def test_a_difference_is_found_and_kept(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """const keep = []
    Error.prepareStackTrace = (e, sites) => keep.push(sites)
    exports.f0 = n => { if (n) f(n); return new Error().stack }
    const f = n => n ? f(n - 1) + [n].map(String) : ''
    exports.spoil = () => new Promise(() => {})"""
    calls = tuple(Call("f0", f"[{n % 3 * 9}]", None, 1) for n in range(6))
    case = Case(5, False, (Epoch(False, script, {}, calls),))
    assert Campaign(engine, [Here(engine)] * len(MODES)).run_case(case) is None
    real = Instance.sparse_image

    def without_dead_frames(self: Instance, new: Image) -> SparseImage:
        image = real(self, new)
        begin = image.stack_pointer
        alive = [
            (max(at, begin), piece[max(begin - at, 0) :])
            for at, piece in image.pieces
            if at + len(piece) > begin
        ]
        return SparseImage(begin, image.size, alive)

    monkeypatch.setattr(Instance, "sparse_image", without_dead_frames)
    difference = Campaign(engine, [Here(engine)] * len(MODES)).run_case(case, tmp_path / "kept")
    assert difference is not None
    assert re.search(r"differs from entry [1-6] on in heapHashes\n", str(difference))
    assert Case.from_json((tmp_path / "kept" / "case.json").read_text()) == case
    assert (tmp_path / "kept" / "difference.txt").read_text() == f"{difference}\n"
    assert (tmp_path / "kept" / "backend" / "call-log.data").exists()


def test_a_replayer_that_dies_is_a_difference(engine: Engine) -> None:
    other = OtherProcess(elsewhere.here())
    other._process.kill()
    difference = Campaign(engine, [other]).run_case(_small())
    other.close()
    assert difference is not None
    assert difference.found["error"] == "process ended"


def test_what_a_verifier_refuses_is_a_difference(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lying(Here):
        def replay(self, directory: Path, mode: str) -> dict[str, object]:
            data = directory / "call-log.data"
            data.write_bytes(data.read_bytes().replace(b'"res":1', b'"res":2'))
            return super().replay(directory, mode)

    difference = Campaign(engine, [Lying(engine)]).run_case(_small())
    assert difference is not None
    assert "error" in difference.found
    assert json.dumps(difference.found) in str(difference)


READ = Call("get", "[]", None, 1)
READS = """let n = 0
exports.add = async () => { await System.files.writeFile('/n', ++n); return Math.random() }
exports.get = System.readonly(() => { n += 100; globalThis.spoilt = Math.random(); return n })
"""


def test_read_only_calls_change_nothing_of_the_log(engine: Engine, tmp_path: Path) -> None:
    def found(name: str, *methods: str) -> dict[str, object]:
        calls = tuple(Call(method, "[]", None, int(method == "add")) for method in methods)
        case = Case(3, False, (Epoch(False, READS, {}, calls),))
        assert Campaign(engine, [Here(engine)]).run_case(case, everywhere=True) is None
        lived = live(engine, case, tmp_path / name)
        assert lived.answers == methods.count("get")
        return lived.found

    alone = found("alone", "add", "add", "add")
    assert found("beside", "get", "add", "get", "get", "add", "get", "add", "get") == alone


def test_a_false_answer_is_a_difference(engine: Engine) -> None:
    class Lying(Here):
        def replay(self, directory: Path, mode: str) -> dict[str, object]:
            kept = directory / ANSWERS
            kept.write_bytes(kept.read_bytes().replace(b'"result":101', b'"result":102'))
            return super().replay(directory, mode)

    case = Case(3, False, (Epoch(False, READS, {}, (Call("add", "[]", None, 0), READ)),))
    difference = Campaign(engine, [Lying(engine)]).run_case(case)
    assert difference is not None
    assert difference.found["error"] == "answer-differs"
    assert (difference.found["field"], difference.found["found"]) == ("result", "102")


def test_the_cases_have_all_kinds() -> None:
    cases = [random_case(seed) for seed in range(60)]
    epochs = [epoch for case in cases for epoch in case.epochs]
    text = "\n".join(epoch.script for epoch in epochs)
    for form in (
        "export const f",
        "export let f",
        "export function f",
        "export default {",
        " as 'f",
    ):
        assert form in text
    for form in ("await import('", "import * as m", "import { default as", "System.readonly("):
        assert form in text
    assert all(f"load('{name}')" in text for name in pieces.MODULE_NAMES)
    assert any(call.method.startswith("r") for epoch in epochs for call in epoch.calls)
    assert {300, 5_000} <= {epoch.limits["archive_bytes"] for epoch in epochs}


def test_the_pieces_of_modules_name_what_there_is(engine: Engine, tmp_path: Path) -> None:
    writer = ScriptWriter(Random(1))
    texts = [
        writer._filled(piece.replace("@e", "'q'"), 0, 0, waits=True) for piece in pieces.MODULES
    ]
    functions = [
        f"exports.f{number} = async () => {{ let x; return [{text}] }}"
        for number, text in enumerate(texts)
    ]
    script = "\n".join(["const load = require", pieces.PRELUDE, *functions])
    calls = tuple(Call(f"f{number}", "[]", None, 1) for number in range(len(texts)))
    lived = live(engine, Case(1, False, (Epoch(False, script, {}, calls),)), tmp_path / "backend")
    assert lived.counts["entry: call"] == len(texts)
    log = (tmp_path / "backend" / "call-log.data").read_text()
    assert "not a function" not in log
    assert lived.counts["threw"] < len(texts) / 5


def _small() -> Case:
    return Case(1, True, (Epoch(False, "exports.f0 = () => 1", {}, (Call("f0", "[]", "bob", 0),)),))
