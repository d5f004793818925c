"""Honest backends that several tests lie about."""

from __future__ import annotations

from pathlib import Path

from cheating_host import Honest, example

from nodevms.sandbox import Engine

COUNTER = example("persistent-counter.js")


def counter(engine: Engine, directory: Path) -> Path:
    """Entries: init, three calls, a restart, two calls."""
    honest = Honest(engine, directory)
    honest.run(COUNTER, [("increment",)] * 3).run(COUNTER, [("increment",)] * 2)
    assert honest.answers == [1, 2, 3, 4, 5]
    return directory


def photos(engine: Engine, directory: Path) -> Path:
    """Entries: init, two photos, one refused."""
    names = [("addPhoto", "a.txt", "first"), ("addPhoto", "b.txt", "second")]
    Honest(engine, directory).run(example("photos.js"), [*names, names[0]])
    return directory


def secure(engine: Engine, directory: Path) -> Path:
    """Entries: init, bob owns it, bob counts, alice is refused."""
    bob, alice = {"caller": "bob"}, {"caller": "alice"}
    Honest(engine, directory, debug=True).run(
        example("secure-counter.js"),
        [("claimOwnership", bob), ("increment", bob), ("increment", alice)],
    )
    return directory
