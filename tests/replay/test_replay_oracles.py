"""A host may say of an oracle what it likes, but not that the call asked another one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cheating_host import Honest, cheat_entry, log_of

from nodevms.audit import Verifier
from nodevms.audit.divergence import DivergenceError
from nodevms.errors import ProvedFalseError
from nodevms.sandbox import Engine
from nodevms.vm.limits import Limits

SCRIPT = """
const fs = System.files
exports.init = () => fs.writeFile('/begun', 1)
exports.rand = () => System.oracle(() => 'a value')
exports.two = async () => [
  await System.oracle(() => 'first'),
  await System.oracle(() => { throw new RangeError('second') }).catch(String)
]
exports.lost = async () => {
  await fs.writeFile('/lost', await System.oracle(() => 'asked'))
  for (;;);
}
exports.none = () => 'none'
"""
RAND, TWO, LOST, NONE = 1, 2, 3, 4

Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def backend(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    honest = Honest(engine, tmp_path_factory.mktemp("oracles") / "backend")
    honest.run(
        SCRIPT,
        [("rand",), ("two",), ("lost",), ("none",)],
        limits=Limits(gas=200_000_000, oracle_bytes=100),
    )
    return honest.directory


@pytest.fixture(scope="module")
def verifier(engine: Engine) -> Verifier:
    return Verifier(engine)


def test_what_rests_on_oracles_is_reported(verifier: Verifier, backend: Path) -> None:
    report = verifier.verify(backend)
    assert (report.trusted.entries, report.trusted.oracles) == (3, 4)
    assert report.trusted.hosts == {}
    oracles = [entry["result"].get("oracles") for entry in log_of(backend)]
    assert [None if given is None else len(given) for given in oracles] == [None, 1, 2, 1, None]


def test_a_value_is_the_host_s_word(verifier: Verifier, backend: Path, tmp_path: Path) -> None:
    """Gas depends on the value, as on all that a script works with: this one costs the same."""

    def change(entry: Any) -> None:
        entry["result"]["oracles"][0]["res"] = entry["result"]["res"] = "b value"

    verifier.verify(cheat_entry(backend, tmp_path / "b", RAND, change))


def test_a_value_of_which_nothing_came(verifier: Verifier, backend: Path, tmp_path: Path) -> None:
    """The call was undone, and its gas is the limit."""

    def change(entry: Any) -> None:
        entry["result"]["oracles"][0]["res"] = {"any": ["value", 1e300, None]}

    verifier.verify(cheat_entry(backend, tmp_path / "b", LOST, change))


def test_another_value_than_the_result_rests_on(
    verifier: Verifier, backend: Path, tmp_path: Path
) -> None:
    def change(entry: Any) -> None:
        entry["result"]["oracles"][0]["res"] = "another"

    with pytest.raises(DivergenceError, match="result differs"):
        verifier.verify(cheat_entry(backend, tmp_path / "b", RAND, change))


def oracles(entry: Any) -> list[dict[str, Any]]:
    given: list[dict[str, Any]] = entry["result"]["oracles"]
    return given


def put(place: int, name: str, value: object) -> Change:
    return lambda entry: oracles(entry)[place].update({name: value})


def with_oracles(given: Change) -> Change:
    """Put oracles where the format has them, into an entry that has none."""

    def change(entry: Any) -> None:
        result = entry["result"]
        head = {name: result.pop(name) for name in ("res", "err", "gas") if name in result}
        rest = dict(result)
        result.clear()
        result.update({**head, "oracles": given(entry), **rest})

    return change


LIES: list[tuple[str, int, Change, str]] = [
    ("source", RAND, put(0, "source", "0" * 64), "asks another one in this place"),
    ("source short", RAND, put(0, "source", "0"), "asks another one in this place"),
    ("reordered", TWO, lambda e: oracles(e).reverse(), "asks another one in this place"),
    ("first missing", TWO, lambda e: oracles(e).pop(0), "asks another one in this place"),
    ("last missing", TWO, lambda e: oracles(e).pop(), "oracles differs: expected one more"),
    ("all missing", RAND, lambda e: e["result"].pop("oracles"), "oracles differs: expected one more"),
    ("surplus", RAND, lambda e: oracles(e).append(oracles(e)[0]), "oracles differs: expected the 1"),
    ("twice", TWO, lambda e: oracles(e).insert(0, oracles(e)[0]), "asks another one"),
    ("where none was asked", NONE, with_oracles(lambda e: [{"source": "0" * 64}]), "the 0 that the call asks"),
    ("an empty list", NONE, with_oracles(lambda e: []), "the 0 that the call asks"),
    ("of an undone call missing", LOST, lambda e: e["result"].pop("oracles"), "expected one more"),
    ("value and error", TWO, put(0, "err", {"value": 1}), "a value or an error"),
    ("error of another form", TWO, put(1, "err", {"message": "m", "name": "n"}), "a value or an error"),
    ("error that is none", TWO, put(1, "err", 7), "a value or an error"),
    ("error with more", TWO, put(1, "err", {"name": "n", "message": "m", "code": 1, "x": 1}), "a value or an error"),
    ("error with a code of another type", TWO, put(1, "err", {"name": "n", "message": "m", "code": None}), "a value or an error"),
    ("too large", RAND, put(0, "res", "x" * 356), "a value within the limits"),
    ("too deep", RAND, put(0, "res", json.loads("[" * 129 + "]" * 129)), "a value within the limits"),
    ("no hosts", RAND, put(0, "hosts", []), "names of hosts in order"),
    ("hosts out of order", RAND, put(0, "hosts", ["b.example", "a.example"]), "names of hosts in order"),
    ("a host twice", RAND, put(0, "hosts", ["a.example", "a.example"]), "names of hosts in order"),
    ("a host with capitals", RAND, put(0, "hosts", ["A.example"]), "names of hosts in order"),
    ("a host without a name", RAND, put(0, "hosts", [""]), "names of hosts in order"),
    ("a long host", RAND, put(0, "hosts", ["a" * 261]), "names of hosts in order"),
    ("many hosts", RAND, put(0, "hosts", list("abcdefghi")), "names of hosts in order"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("seq", "change", "message"), [pytest.param(*lie[1:], id=lie[0]) for lie in LIES]
)
def test_a_lie_about_what_was_asked(
    verifier: Verifier, backend: Path, tmp_path: Path, seq: int, change: Change, message: str
) -> None:
    directory = cheat_entry(backend, tmp_path / "b", seq, change)
    with pytest.raises(DivergenceError, match=rf"^entry {seq} \(.*{message}") as caught:
        verifier.verify(directory)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("name", ["other", "res ", "code"])
def test_an_oracle_of_another_form_is_no_entry(
    verifier: Verifier, backend: Path, tmp_path: Path, name: str
) -> None:
    directory = cheat_entry(backend, tmp_path / "b", RAND, put(0, name, 1))
    with pytest.raises(ProvedFalseError, match=f"^entry {RAND}: not an entry of this format"):
        verifier.verify(directory)


def test_hosts_are_listed_with_the_number_of_oracles(
    verifier: Verifier, backend: Path, tmp_path: Path
) -> None:
    one = cheat_entry(
        backend, tmp_path / "1", RAND, put(0, "hosts", ["a.example", "b.example:8080"])
    )
    two = cheat_entry(one, tmp_path / "2", TWO, put(1, "hosts", ["a.example"]))
    assert verifier.verify(two).trusted.hosts == {"a.example": 2, "b.example:8080": 1}
