"""What is done before it is paid is small, whatever is asked and whatever the folders hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from state_worlds import Backend, Refused

from nodevms.archive import file_gas as gas
from nodevms.archive import file_lookups
from nodevms.archive.index import Index


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many rows each question to the index brought."""
    found: list[int] = []
    ask = Index.rows

    def counted(index: Index, sql: str, arguments: object = ()) -> object:
        answer = ask(index, sql, arguments)  # type: ignore[arg-type]
        found.append(len(answer))
        return answer

    monkeypatch.setattr(Index, "rows", counted)
    return found


def large(count: int = 2_000) -> Backend:
    backend = Backend()
    backend.call(lambda files: [files.write(f"/d/{n:05}") for n in range(count)])
    backend.state.flush(backend.length)
    backend.gas = 0
    return backend


def test_a_check_for_emptiness_looks_at_one_name(rows: list[int]) -> None:
    backend = large()
    _, files = backend.begin()
    rows.clear()
    with pytest.raises(Refused, match="is not empty"):
        files.rmdir("/d")
    files.mkdir("/e")
    with pytest.raises(Refused, match="is not empty"):
        files.copy("/e", "/d")
    assert sum(rows) < 20


def test_and_at_one_more_than_the_call_has_deleted(rows: list[int]) -> None:
    backend = large()
    _, files = backend.begin()
    for n in range(20):
        files.unlink(f"/d/{n:05}")
    rows.clear()
    before = backend.gas
    with pytest.raises(Refused, match="is not empty"):
        files.rmdir("/d")
    assert sum(rows) <= 22
    assert backend.gas - before >= 21 * gas.NAME
    for n in range(20, 2_000):
        files.unlink(f"/d/{n:05}")
    files.rmdir("/d")


def test_a_folder_emptied_or_filled_by_calls_that_wait_for_the_disk() -> None:
    backend = large(300)
    backend.call(lambda files: [files.unlink(f"/d/{n:05}") for n in range(300)])
    backend.call(lambda files: [files.mkdir("/e"), files.rmdir("/d")])
    backend.call(lambda files: [files.write("/e/x"), files.unlink("/e/x"), files.rmdir("/e")])
    _, files = backend.begin()
    assert files.readdir("/") == []


def test_a_folder_with_too_many_names_is_not_gathered() -> None:
    backend = large()
    backend.limits["paths_max"] = 50
    for operation, arguments in (
        ("copy", ("/d", "/e")),
        ("rename", ("/d", "/e")),
        ("rmdir", ("/d", {"recursive": True})),
    ):
        overlay, files = backend.begin()
        before = backend.gas
        with pytest.raises(Refused) as caught:
            getattr(files, operation)(*arguments)
        assert caught.value.code == "ERR_WRITTEN_PATHS"
        assert backend.gas - before < 53 * (gas.NAME + gas.CHANGE)
        with pytest.raises(Exception, match="more than 50 paths"):
            overlay.commit(backend.length + 1)


def test_a_list_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = large(100)
    _, files = backend.begin()
    monkeypatch.setattr(file_lookups, "LISTING_BYTES_MAX", 100 * 21)
    assert len(files.readdir("/d")) == 100  # type: ignore[arg-type]
    monkeypatch.setattr(file_lookups, "LISTING_BYTES_MAX", 100 * 21 - 1)
    with pytest.raises(Refused) as caught:
        files.readdir("/d")
    assert (caught.value.name, caught.value.code) == ("QuotaExceededError", "ERR_LISTING")
    monkeypatch.setattr(file_lookups, "LISTING_BYTES_MAX", 16 + 100 * 23)
    with pytest.raises(Refused):
        files.readdir("/", {"recursive": True})


@pytest.mark.parametrize("reverse", [False, True])
def test_history_is_paid_ten_at_a_time(rows: list[int], reverse: bool) -> None:
    backend = large(300)
    backend.call(lambda files: [files.write("/later")])
    _, files = backend.begin()
    whole = files.history({"reverse": reverse})
    assert [item["version"] for item in whole] == sorted(range(1, 303), reverse=reverse)  # type: ignore[index, attr-defined]
    assert files.history({"start": 5, "end": 290, "limit": 25, "reverse": reverse}) == (
        whole[13:38] if reverse else whole[4:29]  # type: ignore[index]
    )

    class OutOfGas(Exception):
        pass

    def charge(amount: int) -> None:
        if amount == gas.NAME + 2 * gas.COMPONENT:
            raise OutOfGas

    rows.clear()
    backend.charge = charge  # type: ignore[method-assign]
    _, files = backend.begin()
    with pytest.raises(OutOfGas):
        files.history({"reverse": reverse})
    assert max(rows) <= file_lookups.HISTORY_PAGE
