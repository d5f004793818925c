"""``nodevms verify`` on every lie: as it is or signed again, from a directory and over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import backends
import cheating_host as host
import pytest
from backends import COUNTER
from cheating_host import Blocks, Honest, cheat_log
from click.testing import CliRunner, Result
from dishonest_site import Site

from nodevms.cli import main
from nodevms.feed import dat_url
from nodevms.sandbox import Engine

Change = Callable[[Path], object]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def honest(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("honest")
    makers = (backends.counter, backends.photos, backends.secure)
    return {make.__name__: make(engine, place / make.__name__) for make in makers}


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def verify_json(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = verify(*arguments, "--json")
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document.get("code") != "internal"
    return done.exit_code, document


@contextmanager
def reached(directory: Path, how: str) -> Iterator[str]:
    """Give what to verify: the directory, or the address of a server of it."""
    if how == "directory":
        yield str(directory)
    else:
        with Site(directory) as site:
            yield site.address


# Without the keys: bytes change in place, and no file changes its length.


def edit(old: bytes, new: bytes, file: str = "call-log.data") -> Change:
    def change(directory: Path) -> None:
        path = directory / file
        data = path.read_bytes()
        assert data.count(old) == 1
        assert len(old) == len(new)
        path.write_bytes(data.replace(old, new))

    return change


def shift(rearrange: Callable[[Blocks], Blocks]) -> Change:
    def change(directory: Path) -> None:
        path = directory / "call-log.data"
        size = path.stat().st_size
        data = b"".join(rearrange(host.blocks_of(directory, "call-log.")))
        path.write_bytes(data[:size].ljust(size, b"\n"))

    return change


# With the keys: the host signs the changed history as a whole.


def sign(change_blocks: Callable[[Blocks], Blocks]) -> Change:
    def change(directory: Path) -> None:
        aside = directory.with_name("aside")
        directory.rename(aside)
        cheat_log(aside, directory, change_blocks)

    return change


def sign_edit(seq: int, old: bytes, new: bytes) -> Change:
    def changed(blocks: Blocks) -> Blocks:
        assert blocks[seq].count(old) == 1
        return [*blocks[:seq], blocks[seq].replace(old, new), *blocks[seq + 1 :]]

    return sign(changed)


def remove(blocks: Blocks) -> Blocks:
    return [*blocks[:2], *blocks[3:]]


def add(blocks: Blocks) -> Blocks:
    return [*blocks[:3], blocks[2], *blocks[3:]]


def other_contents(directory: Path) -> None:
    host.cheat_contents(directory, lambda b: [x.replace(b"second", b"SECOND") for x in b])


LIES: dict[str, tuple[str, int, Change]] = {
    "a changed result": ("counter", 2, edit(b'"res":2,', b'"res":9,')),
    "a changed result, signed": ("counter", 2, sign_edit(2, b'"res":2,', b'"res":9,')),
    "a changed argument": ("photos", 2, edit(b'["b.txt","second"]', b'["b.txt","sEcond"]')),
    "a changed argument, signed": ("photos", 2, sign_edit(2, b'"second"]', b'"sEcond"]')),
    "a changed file": ("photos", 2, edit(b"second", b"SECOND", "files/content/data")),
    "a changed file, signed": ("photos", 2, other_contents),
    "a removed entry": ("counter", 2, shift(remove)),
    "a removed entry, signed": ("counter", 2, sign(remove)),
    "an added entry": ("counter", 3, shift(add)),
    "an added entry, signed": ("counter", 3, sign(add)),
    "a changed script": ("counter", 0, edit(b"i++", b"i--")),
    # It shows in the gas of loading, and would else in the first call.
    "a changed script, signed": ("counter", 0, sign_edit(0, b"i++", b"i--; while (0) 1")),
    "a changed caller": ("secure", 3, edit(b'"alice"', b'"eliza"')),
    "a changed caller, signed": ("secure", 2, sign_edit(2, b'"bob"', b'"eve"')),
}


@pytest.mark.parametrize("how", ["directory", "HTTP"])
@pytest.mark.parametrize("lie", LIES)
def test_the_command_proves_each_lie_false_and_names_the_entry(
    honest: dict[str, Path], tmp_path: Path, lie: str, how: str
) -> None:
    backend, seq, change = LIES[lie]
    copy = host.copied(honest[backend], tmp_path / "copy")
    with reached(copy, how) as target:
        assert verify(target).exit_code == 0
    change(copy)
    with reached(copy, how) as target:
        code, document = verify_json(target, "--no-memory")
        assert (code, document["verdict"], document["entry"]) == (1, "proved-false", seq)
        assert f"entry {seq}" in document["message"]
        done = verify(target, "--no-memory")
        assert done.exit_code == 1
        assert done.stderr.startswith("✖Proved false.\n")
        assert f"entry {seq}" in done.stderr.splitlines()[1]
        assert "✔" not in done.stdout
        # Whoever verified before hears the same, or of an earlier entry that the replay passed.
        code, document = verify_json(target)
        assert (code, document["entry"]) == (1, seq)


@pytest.mark.parametrize("how", ["directory", "HTTP"])
@pytest.mark.parametrize(
    ("calls", "code", "entry"), [(0, "log-shortened", 3), (1, "log-rewritten", 2)]
)
def test_the_command_remembers_what_it_saw(
    engine: Engine, tmp_path: Path, how: str, calls: int, code: str, entry: int
) -> None:
    one = Honest(engine, tmp_path / "one").run(COUNTER, [("increment",)] * (1 if calls else 2))
    two = Honest(engine, one.copy(tmp_path / "two"))
    one.run(COUNTER, [("increment",)], start_ms=host.START_MS + 10**7)
    if calls:
        two.run(COUNTER, [("increment",)] * 5, start_ms=host.START_MS + 10**8)
    with reached(one.directory, how) as target:
        assert verify(target).exit_code == 0
    with reached(two.directory, how) as target:
        status, document = verify_json(target)
        assert (status, document["code"], document["entry"]) == (1, code, entry)
        assert f"entry {entry}" in verify(target).stderr
        assert verify(target, "--no-memory").exit_code == 0
        allowed = verify(target, "--allow-older")
        assert allowed.exit_code == (0 if code == "log-shortened" else 1)


def test_a_copy_that_is_older_than_what_was_seen_accuses_nobody(
    engine: Engine, tmp_path: Path
) -> None:
    honest = Honest(engine, tmp_path / "backend").run(COUNTER, [("increment",)] * 2)
    older = honest.copy(tmp_path / "older")
    honest.run(COUNTER, [("increment",)], start_ms=host.START_MS + 10**7)
    assert verify(honest.directory).exit_code == 0
    assert verify_json(older)[0] == 1  # as the backend itself, it is a shortened log
    (older / "call-log.secret_key").unlink()
    status, document = verify_json(older)
    assert (status, document["verdict"], document["code"]) == (3, "could-not-check", "behind")
    assert verify(older, "--allow-older").exit_code == 0


def test_a_history_that_cannot_be_replayed_is_still_compared_with_the_one_seen_before(
    engine: Engine, tmp_path: Path
) -> None:
    one = Honest(engine, tmp_path / "one").run(COUNTER, [("increment",)])
    assert verify(one.directory).exit_code == 0
    sign_edit(0, b'"gas":1000000000,', b'"gas":10000000000000,')(one.directory)
    assert verify_json(one.directory, "--no-memory")[1]["code"] == "ceiling"
    status, document = verify_json(one.directory)
    assert (status, document["code"], document["entry"]) == (1, "log-rewritten", 0)


@pytest.mark.parametrize("how", ["directory", "HTTP"])
def test_the_urls_that_the_reader_expects_are_held_against_it(
    honest: dict[str, Path], how: str
) -> None:
    with reached(honest["photos"], how) as target:
        _, report = verify_json(target)
        log, files = report["callLogUrl"], report["filesArchiveUrl"]
        assert verify(target, "--log", log, "--files", files).exit_code == 0
        for option, right in (("--log", log), ("--files", files)):
            other = dat_url(bytes(32))
            status, document = verify_json(target, option, other)
            assert (status, document["code"]) == (1, "other-key")
            assert other in document["message"]
            assert right in document["message"]
            assert verify(target, option, "dat://nonsense").exit_code == 2


@pytest.mark.parametrize("how", ["directory", "HTTP"])
def test_files_that_are_cut_could_not_be_checked(
    honest: dict[str, Path], tmp_path: Path, how: str
) -> None:
    with reached(honest["photos"], how) as target:
        assert verify(target).exit_code == 0
    files = ("call-log.data", "call-log.tree", "files/content/data", "files/metadata/tree")
    for file in files if how == "directory" else files[:1]:
        copy = host.copied(honest["photos"], tmp_path / file.replace("/", "-"))
        with Site(copy) as site:
            heads = {name: site.head(name) for name in ("call-log", "metadata", "content")}
            for name, head in heads.items():
                site.heads[name] = lambda _, head=head: head
            (copy / file).write_bytes((copy / file).read_bytes()[:-1])
            target = str(copy) if how == "directory" else site.address
            status, document = verify_json(target, "--no-memory", "--max-time", 20)
            assert (status, document["verdict"]) == (3, "could-not-check"), document


def test_what_is_no_backend_is_not_verified(tmp_path: Path) -> None:
    status, document = verify_json(tmp_path)
    assert (status, document["code"]) == (3, "feed-missing")
    assert document["message"] == f"{tmp_path} holds no backend"
    assert "exec" in document["hint"]
    (tmp_path / "a-file").touch()
    file = str(tmp_path / "a-file")
    for target in ("./nowhere", "/nowhere", file, "local host", "ftp://example.org"):
        assert verify(target).exit_code == 2, target
    assert verify(tmp_path, "--dir", tmp_path / "x").exit_code == 2
    assert verify().exit_code == 2


def test_a_host_cannot_steer_the_readers_terminal(honest: dict[str, Path], tmp_path: Path) -> None:
    copy = host.copied(honest["secure"], tmp_path / "copy")
    sign_edit(2, b'"methodName":"increment"', rb'"methodName":"\u001b[2J\u001b]0;owned\u0007"')(
        copy
    )
    done = verify(copy)
    assert done.exit_code == 1
    assert "\x1b" not in done.stderr + done.stdout
    assert r"\x1b[2J" in done.stderr
    with Site(honest["secure"]) as site:
        site.claims["callLogUrl"] = "dat://\x1b[2J"
        done = verify(site.address)
        assert done.exit_code == 1
        assert "\x1b" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("lies", "arguments", "exit_code"),
    [(False, [], 3), (True, [], 1), (False, ["--json"], 0), (True, ["--json"], 1)],
)
def test_nobody_who_reads_it_makes_no_other_verdict(
    honest: dict[str, Path], tmp_path: Path, lies: bool, arguments: list[str], exit_code: int
) -> None:
    copy = host.copied(honest["counter"], tmp_path / "copy")
    if lies:
        edit(b'"res":2,', b'"res":9,')(copy)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "nodevms.cli", "verify", str(copy), *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == exit_code, done.stderr
    assert "internal" not in done.stderr
    assert "BrokenPipeError" not in done.stderr
