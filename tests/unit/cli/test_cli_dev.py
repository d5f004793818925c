"""The parts of ``exec --dev``: the watch, the temporary place, the lines about calls."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodevms.archive import Change
from nodevms.cli.dev.lines import METHODS_MAX, CallLines, DevLines, methods_line
from nodevms.cli.dev.place import TemporaryPlace
from nodevms.cli.dev.watch import GONE_LOOKS, FileWatch, signature_of
from nodevms.errors import StorageError
from nodevms.sandbox import Outcome
from nodevms.vm.directory import Layout
from nodevms.vm.reporter import Ran
from nodevms.vm.requests import Method, Request


class Looks:
    """A file whose signature at each look is given; a number stands for one, None for no file."""

    def __init__(self, *seen: int | None) -> None:
        self._seen: Iterator[int | None] = iter(seen)
        self.left = len(seen)

    def __call__(self) -> tuple[int, ...] | None:
        self.left -= 1
        number = next(self._seen)
        return None if number is None else (number,)


async def no_pause() -> None:
    pass


async def test_a_change_counts_when_the_file_stays_as_it_is() -> None:
    looks = Looks(1, 1, 1, 2, 3, 4, 4, 4, 5, 5)
    watch = FileWatch(looks, no_pause)
    assert await watch.change() == "changed"
    assert looks.left == 3
    assert await watch.change() == "changed"
    assert looks.left == 0


async def test_a_file_that_is_replaced_is_not_gone() -> None:
    looks = Looks(1, None, None, 2, 2, None, 2, 3, 3)
    watch = FileWatch(looks, no_pause)
    assert [await watch.change(), await watch.change()] == ["changed", "changed"]
    assert looks.left == 0


async def test_a_file_that_is_gone_is_told_once_and_is_a_change_when_it_is_back() -> None:
    looks = Looks(1, *[None] * (3 * GONE_LOOKS), 1, 1)
    watch = FileWatch(looks, no_pause)
    assert await watch.change() == "gone"
    assert await watch.change() == "changed"
    assert looks.left == 0


def test_every_way_to_write_a_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "it.js"
    assert signature_of(path) is None
    path.write_text("one")
    seen = [signature_of(path)]
    new = tmp_path / "new"
    new.write_text("two")
    times = path.stat()
    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
    new.rename(path)
    seen.append(signature_of(path))
    path.write_text("three")
    seen.append(signature_of(path))
    assert len({*seen, None}) == 4
    assert signature_of(Path("a\0b")) is None


def test_a_place_is_private_and_removed(tmp_path: Path) -> None:
    with TemporaryPlace(tmp_path) as place:
        assert place.root.stat().st_mode & 0o777 == 0o700
        one, two = place.new(), place.new()
        assert one != two
        one.mkdir()
        (one / "file").write_text("x")
        with TemporaryPlace(tmp_path) as other:
            assert other.root != place.root
            assert one.exists()
        place.discard(one)
        assert not one.exists()
    assert list(tmp_path.iterdir()) == []


def test_only_places_of_ours_that_nobody_holds_are_swept(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").write_text("")
    linked = tmp_path / "nodevms-dev-aaaaaaaa"
    linked.symlink_to(elsewhere)
    other_name = tmp_path / "nodevms-dev-of-mine"
    file = tmp_path / "nodevms-dev-bbbbbbbb"
    file.write_text("")
    no_lock = tmp_path / "nodevms-dev-cccccccc"
    left, empty = tmp_path / "nodevms-dev-dddddddd", tmp_path / "nodevms-dev-eeeeeeee"
    for folder in (other_name, no_lock, left, empty):
        folder.mkdir()
    for folder in (other_name, left):
        (folder / "lock").write_text("123\n")
        (folder / "1").mkdir()
    (no_lock / "letter").write_text("dear")
    with TemporaryPlace(tmp_path):
        assert not left.exists()
        assert not empty.exists()
    stayed = {path.name for path in tmp_path.iterdir()}
    assert stayed == {p.name for p in (elsewhere, linked, other_name, file, no_lock)}
    assert (elsewhere / "lock").exists()


def test_a_place_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no temporary folder can be made in"):
        TemporaryPlace(tmp_path / "missing").__enter__()


def test_a_place_that_is_held_is_locked_as_a_backend_is(tmp_path: Path) -> None:
    with TemporaryPlace(tmp_path) as place:
        assert Layout(place.root).lock.read_text() == f"{os.getpid()}\n"


def ran(
    method: str, arguments: bytes, outcome: Outcome, caller: str | None = None, paths: int = 0
) -> Ran:
    changes = tuple(Change(f"/{n}", "deleted" if n == 1 else "folder") for n in range(paths))
    return Ran(7, 0, 1.25, Request(method, arguments, caller, None), outcome, changes)


@pytest.mark.parametrize(
    ("call", "details", "line"),
    [
        (ran("get", b"[]", Outcome(None, None, 1234)), "", "get() → undefined  1.2 ms, 1,234 gas"),
        (
            ran("set", b'["k",{"v":1}]', Outcome(b'"ok"', None, 5), "bob", 2),
            "",
            'bob: set("k",{"v":1}) → "ok"  1.2 ms, 5 gas, /0, /1 deleted',
        ),
        (
            ran("f", b"[]", Outcome(b"1", None, 5), None, 8),
            "",
            "f() → 1  1.2 ms, 5 gas, /0, /1 deleted, /2, /3, /4, 3 more paths",
        ),
        (
            ran("f", b"[]", Outcome(None, b'{"name":"Error","message":"a\\nb\\u001b[2J"}', 5)),
            "line\n\t^",
            "f() → Error: a\\nb\\x1b[2J  1.2 ms, 5 gas\n    line\n    \t^",
        ),
        (
            ran("f", b'["\xc2\x9b31m\xe2\x80\xae"]', Outcome(b'"\xe2\x80\xa8"', None, 5), "\x1bx"),
            "",
            '\\x1bx: f("\\x9b31m\\u202e") → "\\u2028"  1.2 ms, 5 gas',
        ),
        (
            ran("f", b'["' + b"x" * 1_000_000 + b'"]', Outcome(b"[" * 130 + b"]" * 130, None, 5)),
            "",
            f'f("{"x" * 119}…) → {"[" * 120}…  1.2 ms, 5 gas',
        ),
        (
            ran("f", b'["' + "日".encode() * 1000 + b'"]', Outcome(None, None, 5)),
            "",
            f'f("{"日" * 119}…) → undefined  1.2 ms, 5 gas',
        ),
    ],
)
def test_a_call_is_a_line_with_what_it_took_and_changed(
    caplog: pytest.LogCaptureFixture, call: Ran, details: str, line: str
) -> None:
    caplog.set_level(logging.INFO, "nodevms.dev")
    CallLines(colour=False)(call, details)
    assert caplog.messages[0][:9].count(":") == 2
    assert caplog.messages[0][9:] == line


def test_the_methods_of_a_script_are_one_line() -> None:
    assert (
        methods_line([Method("a\n\x1b[2J", ("x", "y")), Method("b")]) == "a\\n\\x1b[2J(x, y), b()"
    )
    assert methods_line([Method("b", (), readonly=True)]) == "b() read-only"
    many = methods_line([Method("m" * 1000)] * (METHODS_MAX + 3))
    assert many.endswith("m…, 3 more")
    assert len(many) < 6_000


def test_colours_are_there_when_they_are_wanted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nodevms.dev")
    CallLines(colour=True)(ran("f", b"[]", Outcome(None, b'{"name":"E"}', 5)), "")
    assert "\x1b[31mE\x1b[0m" in caplog.messages[0]


def test_the_script_s_output_is_indented_and_the_rest_named() -> None:
    def record(name: str, level: int, **more: object) -> logging.LogRecord:
        return logging.makeLogRecord({"name": name, "levelno": level, "msg": "text", **more})

    warned = record("nodevms.script", logging.WARNING, seq=3)
    assert DevLines(colour=False).format(warned) == "    text"
    assert DevLines(colour=True).format(warned) == "\x1b[33m    text\x1b[0m"
    assert DevLines(colour=True).format(record("nodevms.dev", logging.INFO)) == "text"
    assert DevLines(colour=False).format(record("nodevms.vm", logging.ERROR)) == "nodevms.vm: text"
