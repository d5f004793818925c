"""The escape suite: whatever a script does, the host lives, other calls go on, and the log verifies.

Each attack is run once through the door that ``exec`` uses, and then by an auditor, for whom the
same script is as hostile.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arena import CANARY, Ran, as_logged, run
from attack import FOLDER, Attack, Step, read_attacks
from command_line import in_process
from outside import nothing_but

from nodevms.audit import SavedAnswer, Verifier
from nodevms.sandbox import Engine
from nodevms.vm import Answer
from nodevms.vm.entries import Init, Restart

ATTACKS = read_attacks()
ATTACKS_MIN = 120
PAGE = Path(__file__).parents[2] / "docs" / "security.md"
# What a backend's directory has, whatever its script did.
DIRECTORY = {
    *("backend.json", "files", "journal", "lock", "state.db", "state.db-shm", "state.db-wal"),
    *(
        f"call-log.{part}"
        for part in ("bitfield", "data", "key", "secret_key", "signatures", "tree")
    ),
}

each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.kind}: {a.name}")
Play = Callable[[Attack], tuple[Ran, Path]]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def play(engine: Engine) -> Iterator[Play]:
    """Runs an attack, once; returns what came of it and its folder."""
    played: dict[str, tuple[Ran, Path]] = {}
    # Hundreds of backends that no test pulls the plug of: where memory can hold them, it does.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as root:

        def once(attack: Attack) -> tuple[Ran, Path]:
            if attack.name not in played:
                folder = Path(tempfile.mkdtemp(dir=root), "place")
                folder.mkdir()
                (folder.parent / "secret").write_text("nobody reads this")
                played[attack.name] = (run(attack, engine, folder), folder)
            return played[attack.name]

        yield once


@pytest.fixture(scope="module")
def verifier(engine: Engine) -> Verifier:
    return Verifier(engine)


@each_attack
def test_nothing_comes_of_it_but_what_it_may(play: Play, attack: Attack) -> None:
    ran, folder = play(attack)
    assert (ran.failure is None) == (attack.fails is None), ran.failure
    assert (attack.fails or "") in (ran.failure or "")
    told = [_told(step, answer) for step, answer in zip(attack.steps, ran.answers, strict=True)]
    assert told == [(step.how, step.expected) for step in attack.steps]
    assert ran.files == attack.files
    lines = iter(ran.console)
    for text in attack.console:
        assert any(text in line for line in lines), ran.console
    assert {path.name for path in folder.parent.iterdir()} == {"place", "secret"}
    assert (folder.parent / "secret").read_text() == "nobody reads this"
    assert {path.name for path in folder.iterdir()} - {"backend"} == {"neighbour"}
    if attack.fails is None:
        assert {path.name for path in (folder / "backend").iterdir()} <= DIRECTORY
    else:
        assert not (folder / "backend").exists()


@each_attack
def test_everybody_else_is_answered_as_if_nothing_had_been(play: Play, attack: Attack) -> None:
    ran, _ = play(attack)
    calls = sum(step.method is not None for step in attack.steps)
    canaries = [f"{CANARY}{n}" for n in range(calls)] if attack.canary else []
    assert ran.canaries == canaries
    assert ran.neighbour == [b"%d" % n for n in range(1, max(calls, 1) + 1)]


@each_attack
def test_the_log_holds_what_was_answered_and_verifies(
    play: Play, verifier: Verifier, attack: Attack
) -> None:
    ran, folder = play(attack)
    if attack.fails is not None:
        return  # nothing was recorded, which the first test has seen
    assert as_logged(ran.entries) == [
        (caller, method, arguments, answer.result, answer.error, answer.seq)
        for caller, method, arguments, answer in ran.logged
    ]
    starts = [type(entry) for entry in ran.entries if isinstance(entry, Init | Restart)]
    assert starts == [Init] + [Restart for step in attack.steps if step.method is None]
    assert len(starts) + len(ran.logged) == len(ran.entries)
    kept = [SavedAnswer(str(number), answer) for number, answer in enumerate(ran.reads)]
    with nothing_but(folder / "backend", Path(tempfile.gettempdir())):
        report = verifier.verify(folder / "backend", answers=kept)
    assert (report.calls, len(report.answers)) == (len(ran.logged), len(kept))


@pytest.mark.parametrize("kind", sorted({attack.kind for attack in ATTACKS}))
def test_the_command_says_so_too(play: Play, kind: str) -> None:
    attack = next(a for a in ATTACKS if a.kind == kind and a.fails is None)
    _, folder = play(attack)
    with nothing_but(folder / "backend", Path(tempfile.gettempdir())):
        done = in_process("verify", str(folder / "backend"), "--no-memory")
    assert (done.exit_code, done.exception) == (0, None), done.output


def test_they_are_many() -> None:
    assert len(ATTACKS) >= ATTACKS_MIN


def test_the_page_lists_the_kinds_and_shows_an_attack() -> None:
    page = PAGE.read_text()
    assert {attack.kind for attack in ATTACKS} <= set(re.findall(r"`(\w+)`", page))
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert any(example in path.read_text() for path in FOLDER.glob("*.toml"))


def _told(step: Step, answer: Answer | str | None) -> tuple[str, str]:
    """Return how a call ended, in the words of the attack."""
    if answer is None:
        return "", ""
    if isinstance(answer, str):
        return "refused", answer[: len(step.expected)]
    if answer.error is None:
        return "result", "undefined" if answer.result is None else answer.result.decode()
    error = json.loads(answer.error)
    limit = error.get("name") == "LimitError" and error.get("code")
    return "error", limit if limit and step.expected.startswith("ERR_") else answer.error.decode()
