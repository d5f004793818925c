"""What an honest crash or an honest writer may leave behind is not called false; all else is."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nodevms.audit import EntryFalseError
from nodevms.audit.opening import ARCHIVE, CALL_LOG, CONTENTS, Place, open_checked
from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.feed import Feed, Head, KeyPair, audit_feed
from nodevms.vm.directory import Layout
from nodevms.vm.writer_lock import WriterLock

PAIR = KeyPair.from_seed(b"\x0b" * 32)
PARTS = ("data", "tree", "signatures")
PLACES = (CALL_LOG, ARCHIVE, CONTENTS)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A feed of twelve blocks in three batches."""
    place = Place(request.param, Layout(tmp_path))
    (tmp_path / "call-log.secret_key").write_bytes(PAIR.secret)
    with Feed.create(place.directory, place.prefix, PAIR) as feed:
        for batch in range(3):
            feed.append([b"%d %d " % (batch, n) * 30 for n in range(4)])
            feed.sync()
    return place


def check(place: Place) -> Head:
    pauses: list[float] = []
    feed, head = open_checked(place, lambda *_: None, pause=pauses.append)
    assert feed.length >= head.length
    feed.close()
    return head


def path(place: Place, part: str) -> Path:
    return place.directory / f"{place.prefix}{part}"


def change(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    lock = WriterLock(place.layout)
    try:
        yield
    finally:
        lock.release()


def test_progress_counts_the_bytes(place: Place) -> None:
    heard: list[tuple[str, int, int]] = []
    feed, _ = open_checked(place, lambda *told: heard.append(told))
    size = feed.byte_length
    feed.close()
    assert heard[-1] == (place.name, size, size)
    assert len(heard) == 12


def test_a_batch_that_a_crash_tore_could_not_be_checked(place: Place) -> None:
    # Process crash: everything but the signature.
    with Feed.open(place.directory, place.prefix, writable=True) as feed:
        feed.append([b"torn"] * 4)
    whole = {part: path(place, part).read_bytes() for part in PARTS}
    signatures = whole["signatures"]
    holes = {
        "signatures": [
            signatures[:-64],
            signatures[:-32] + bytes(32),  # a sector of the disk ends there
            signatures[:-64] + bytes(64),
        ],
        "data": [whole["data"][:-3], whole["data"][:-16] + bytes(16)],
        "tree": [whole["tree"][:-60], whole["tree"][:1024] + bytes(248)],
    }
    for part, variants in holes.items():
        for torn in variants:
            path(place, part).write_bytes(torn)
            with pytest.raises(CouldNotCheckError) as caught:
                check(place)
            assert caught.value.exit_code == 3
            path(place, part).write_bytes(whole[part])
    assert check(place).length == 16


def test_what_no_crash_explains_is_false(place: Place) -> None:
    data = path(place, "data").read_bytes()
    for at in (0, len(data) // 2, len(data) - 1):
        change(path(place, "data"), at, bytes([data[at] ^ 1]))
        with pytest.raises(EntryFalseError) as caught:
            check(place)
        assert caught.value.block == at * 12 // len(data)
        assert caught.value.entry == (caught.value.block if place.name == CALL_LOG else None)
        change(path(place, "data"), at, data[at : at + 1])
    # An earlier batch that is wrong stays wrong, whatever tore the last.
    change(path(place, "data"), 0, b"X")
    path(place, "data").write_bytes(path(place, "data").read_bytes()[:-3])
    with pytest.raises(ProvedFalseError):
        check(place)


def test_only_a_backends_own_directory_may_have_been_torn(place: Place) -> None:
    data = path(place, "data").read_bytes()
    change(path(place, "data"), 1024, bytes(len(data) - 1024))  # the last sector
    with pytest.raises(CouldNotCheckError) as caught:
        check(place)
    assert caught.value.code == "feed-torn"
    assert "start the backend once" in str(caught.value.hint)
    (place.layout.root / "call-log.secret_key").unlink()
    if place.name != CALL_LOG:
        path(place, "secret_key").unlink()
    with pytest.raises(ProvedFalseError):
        check(place)


def test_a_feed_that_is_written_is_checked_up_to_its_head(place: Place) -> None:
    with locked(place):
        for part in PARTS:
            with path(place, part).open("ab") as file:
                file.write(b"\0" * 64)  # a batch that is being written
        assert check(place).length == 12


def test_a_wrong_last_batch_is_false_even_while_the_feed_is_written(place: Place) -> None:
    with locked(place):
        size = path(place, "data").stat().st_size
        change(path(place, "data"), size - 1, b"X")
        with pytest.raises(EntryFalseError) as caught:
            check(place)
        assert caught.value.block == 11
        change(path(place, "data"), size - 1, b" ")
        slot = path(place, "signatures").stat().st_size - 1
        old = path(place, "signatures").read_bytes()[-1]
        change(path(place, "signatures"), slot, bytes([old ^ 1]))
        with pytest.raises(EntryFalseError):
            check(place)


def test_a_signature_that_is_half_there_is_looked_at_again(place: Place) -> None:
    with locked(place):
        file = path(place, "signatures")
        whole = file.read_bytes()
        file.write_bytes(whole[:-32] + bytes(32))
        looks: list[float] = []

        def meanwhile(seconds: float) -> None:
            looks.append(seconds)
            file.write_bytes(whole)

        feed, head = open_checked(place, lambda *_: None, pause=meanwhile)
        feed.close()
        assert head.length == 12
        assert len(looks) == 1


def test_a_backend_that_starts_meanwhile_is_seen(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [False, True, True]
    monkeypatch.setattr("nodevms.audit.opening.is_locked", lambda _: answers.pop(0))
    with path(place, "data").open("ab") as file:
        file.write(b"the first bytes of a batch")
    assert check(place).length == 12
    assert answers == []


def test_a_backend_that_lived_meanwhile_is_seen(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = path(place, "data")
    whole = file.read_bytes()
    file.write_bytes(b"Y" + whole[1:])  # as if it was read while it was being made good
    lives = iter(range(1))

    def audited(*arguments: object, **options: object) -> Head:
        try:
            return audit_feed(*arguments, **options)  # type: ignore[arg-type]
        finally:
            for _ in lives:
                WriterLock(place.layout).release()
                file.write_bytes(whole)

    monkeypatch.setattr("nodevms.audit.opening.audit_feed", audited)
    assert check(place).length == 12


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33])
def test_a_key_file_of_another_size_could_not_be_checked(place: Place, key: bytes) -> None:
    path(place, "key").write_bytes(key)
    with pytest.raises(CouldNotCheckError, match="key of 32 bytes"):
        check(place)


@pytest.mark.parametrize("part", [*PARTS, "key"])
def test_a_missing_file_could_not_be_checked(place: Place, part: str) -> None:
    path(place, part).unlink()
    with pytest.raises(CouldNotCheckError) as caught:
        check(place)
    assert part in str(caught.value)


def test_asking_whether_a_directory_is_in_use_keeps_no_backend_from_starting(
    tmp_path: Path,
) -> None:
    layout = Layout(tmp_path)
    layout.lock.touch()
    fd = os.open(layout.lock, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    waited: list[float] = []
    with pytest.MonkeyPatch.context() as patch:

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            fcntl.flock(fd, fcntl.LOCK_UN)

        patch.setattr("nodevms.vm.writer_lock.time.sleep", sleep)
        WriterLock(layout).release()
    os.close(fd)
    assert len(waited) == 1
