"""A clone that ends at any step goes on afterwards, and takes none of its own files for another's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from clone_worlds import Source, clone, files_in, with_folders

from nodevms.dat.clone.ledger import Ledger


class Crash(BaseException):
    pass


class Steps:
    """Ends the program at one step of those that change something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for owner, name in (
            (os, "link"),
            (os, "rename"),
            (os, "unlink"),
            (os, "utime"),
            (os, "fchmod"),
            (os, "mkdir"),
            (os, "rmdir"),
            (os, "pwrite"),
            (Ledger, "rows"),
        ):
            monkeypatch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, original: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            sql = arguments[1] if len(arguments) > 1 else ""
            if isinstance(sql, str) and sql.startswith(("SELECT", "ROLLBACK")):
                return original(*arguments, **named)
            self.left -= 1
            if self.left == 0:
                raise Crash
            result = original(*arguments, **named)
            if self.left == 1:  # and once when it was done
                self.left = -1
                raise Crash
            return result

        return call


def test_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(tmp_path / "source")
    content = source.store(b"same" * 20_000)
    source.publish({"/copied": content})
    source.write("/replaced", b"old")
    source.write("/gone/in", b"gone")
    source.write("/empty", b"")
    source.write("/kind", b"a file first")
    first = source.drive.version
    before = source.model
    source.publish({"/moved/here": content, "/moved/there": content})
    source.write("/replaced", b"new" * 30_000)
    source.remove("/gone/in", "/copied", "/kind")
    source.write("/kind/in", b"a folder now")
    source.write("/new", b"new")
    after = source.model

    steps = Steps(monkeypatch)
    number, crashes = 0, 0
    while True:
        number += 1
        target = tmp_path / f"clone {number}"
        kept: dict[str, str] = {}
        ended = True
        for version in (first, None):
            steps.left = number
            try:
                kept |= clone(source, target, version).kept
            except Crash:
                ended = False
                crashes += 1
            steps.left = -1
            for path, data in files_in(target).items() if (target / ".dat").exists() else ():
                assert data is None or data in (before.get(path), after.get(path))
            if version is not None:
                kept |= clone(source, target, version).kept
                assert files_in(target) == with_folders(before)
        kept |= clone(source, target).kept
        assert files_in(target) == with_folders(after)
        assert list((target / ".dat" / "parts").iterdir()) == []
        assert kept == {}
        if ended:
            break
    assert crashes > 100
