"""Whatever a server does while it is read from, the reader stays whole and says what happened."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import backends
import cheating_host as host
import pytest
from aiohttp import web
from backends import COUNTER
from cheating_host import Honest
from click.testing import CliRunner
from dishonest_site import Head, Site, ranged

from nodevms.audit import EntryFalseError, Fetcher, Patience, Report, Verifier
from nodevms.cli import main
from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError, UsageError
from nodevms.feed import KeyPair
from nodevms.sandbox import Engine

QUICK = Patience(stall_seconds=0.3, attempts_max=3, pause_seconds=0.01)
FEEDS = ("call-log", "metadata", "content")


@pytest.fixture(scope="module")
def backend(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backends.photos(engine, tmp_path_factory.mktemp("photos") / "backend")


@pytest.fixture
def site(backend: Path) -> Iterator[Site]:
    with Site(backend) as site:
        yield site


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


async def _fetch(fetcher: Fetcher, progress: Callable[[int, int], None] | None) -> None:
    await fetcher.heads()
    for name in FEEDS:
        await fetcher.fetch(name, progress)


def fetch(
    site: Site, copy: Path, progress: Callable[[int, int], None] | None = None, **options: Any
) -> None:
    asyncio.run(_fetch(Fetcher(site.url, copy, patience=QUICK, **options), progress))


def fetch_and_verify(engine: Engine, site: Site, copy: Path) -> Report:
    fetch(site, copy)
    return Verifier(engine).verify(copy)


def could_not(site: Site, copy: Path, **options: Any) -> CouldNotCheckError:
    with pytest.raises(CouldNotCheckError) as caught:
        fetch(site, copy, **options)
    assert caught.value.exit_code == 3
    return caught.value


async def streamed(request: web.Request, **options: Any) -> web.StreamResponse:
    response = web.StreamResponse(**options)
    await response.prepare(request)
    return response


# --- servers that are only unwell


def test_an_honest_server_is_copied_byte_for_byte(
    engine: Engine, site: Site, copy: Path, backend: Path
) -> None:
    seen: list[tuple[int, int]] = []
    fetch(site, copy, lambda done, total: seen.append((done, total)))
    assert Verifier(engine).verify(copy).entries == 4
    for name in FEEDS:
        for part in ("data", "tree", "signatures", "key"):
            path = site.path(name, part)
            assert (copy / path.relative_to(backend)).read_bytes() == path.read_bytes()
    assert not list(copy.rglob("*secret*"))
    assert not list(copy.rglob("*.new"))
    assert [pair for pair in seen if pair[0] == pair[1]]
    assert all(done <= total for done, total in seen)


@pytest.mark.parametrize("name", [f"{feed}/{part}" for feed in FEEDS for part in ("data", "tree")])
def test_a_broken_answer_is_continued(engine: Engine, site: Site, copy: Path, name: str) -> None:
    ranges: list[str] = []

    async def a_few_bytes(request: web.Request, data: bytes) -> web.StreamResponse:
        ranges.append(request.headers["Range"])
        start, stop = request.http_range.start, request.http_range.stop
        headers = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        response = await streamed(request, status=206, headers=headers)
        await response.write(data[start : min(start + len(data) // 3 + 1, stop)])
        request.transport.abort()  # type: ignore[union-attr]
        return response

    site.files[name] = a_few_bytes
    assert fetch_and_verify(engine, site, copy).entries == 4
    assert len(ranges) >= 2
    assert ranges == sorted(set(ranges), key=ranges.index)


def test_a_server_that_recovers_is_asked_again(engine: Engine, site: Site, copy: Path) -> None:
    answers = [web.Response(status=500), web.Response(status=503)]

    async def recovering(request: web.Request, data: bytes) -> web.StreamResponse:
        return answers.pop() if answers else await ranged(request, data)

    site.files["metadata/data"] = recovering
    assert fetch_and_verify(engine, site, copy).entries == 4


def test_a_plain_web_host_that_knows_no_ranges_will_do(
    engine: Engine, site: Site, copy: Path
) -> None:
    async def whole(_: web.Request, data: bytes) -> web.StreamResponse:
        return web.Response(body=data)

    for feed in FEEDS:
        for part in ("data", "tree", "signatures"):
            site.files[f"{feed}/{part}"] = whole
    assert fetch_and_verify(engine, site, copy).entries == 4
    path = copy / "call-log.data"
    path.write_bytes(path.read_bytes()[:-100])
    assert fetch_and_verify(engine, site, copy).entries == 4


def test_a_log_that_grows_while_it_is_fetched_is_the_log_at_its_head(
    engine: Engine, tmp_path: Path, copy: Path
) -> None:
    growing = Honest(engine, tmp_path / "growing").run(COUNTER, [("increment",)] * 4)
    with Site(growing.directory) as site:
        heads = {name: site.head(name) for name in FEEDS}
        for name, head in heads.items():
            site.heads[name] = lambda _, head=head: head
        growing.run(COUNTER, [("increment",)] * 4)  # fills in nodes over entries 0 to 7
        assert fetch_and_verify(engine, site, copy).entries == 5


# --- servers that waste our time, disk or memory


def test_an_endless_body_is_left_when_all_is_there(engine: Engine, site: Site, copy: Path) -> None:
    async def endless(request: web.Request, data: bytes) -> web.StreamResponse:
        headers = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        response = await streamed(request, status=206, headers=headers)
        await response.write(data)
        while True:
            await response.write(b"more" * 10_000)

    site.files["metadata/data"] = endless
    assert fetch_and_verify(engine, site, copy).entries == 4


def test_an_endless_head_is_left(site: Site, copy: Path) -> None:
    site.heads["content"] = lambda _: web.Response(body=b" " * 10_000_000)
    error = could_not(site, copy)
    assert "content/head" in str(error)
    assert "more than 4,096 bytes" in str(error)
    assert not copy.exists()


@pytest.mark.parametrize("length", [0, 1])
def test_a_stall_ends(site: Site, copy: Path, length: int) -> None:
    async def stall(request: web.Request, data: bytes) -> web.StreamResponse:
        headers = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        response = await streamed(request, status=206, headers=headers)
        await response.write(data[:length])
        await asyncio.sleep(30)
        return response

    site.files["call-log/data"] = stall
    error = could_not(site, copy)
    assert "call-log/data could not be fetched" in str(error)


def test_a_connection_that_drops_each_time_ends(site: Site, copy: Path) -> None:
    async def drop(request: web.Request, _: bytes) -> web.StreamResponse:
        request.transport.abort()  # type: ignore[union-attr]
        return web.Response()

    site.files["content/signatures"] = drop
    assert "content/signatures" in str(could_not(site, copy))
    # aiohttp asks once more by itself where a connection was used before.
    assert site.asked.count("content/signatures") <= 2 * QUICK.attempts_max


@pytest.mark.parametrize(
    ("feed", "changes"),
    [
        ("call-log", {"length": 2**60}),
        ("content", {"byteLength": 2**60}),
        ("metadata", {"length": 2**40, "byteLength": 2**45}),
    ],
)
def test_petabytes_are_refused_before_anything_is_written(
    site: Site, copy: Path, feed: str, changes: Head
) -> None:
    site.heads[feed] = lambda head: head.update(changes)
    error = could_not(site, copy)
    assert error.code in {"ceiling", "fetch-failed"}
    assert not copy.exists()
    if changes.get("length", 0) < 2**48:
        assert could_not(site, copy, bytes_max=2**62).code == "disk-full"
        assert not copy.exists()


def test_the_reader_says_how_much_is_too_much(site: Site, copy: Path) -> None:
    error = could_not(site, copy, bytes_max=1000)
    assert error.code == "ceiling"
    assert "--max-download" in str(error.hint)
    done = CliRunner().invoke(main, ["verify", site.address, "--max-download", "1000"])
    assert done.exit_code == 3
    assert "--max-download" in done.stderr


def test_a_whole_verification_has_its_time(site: Site) -> None:
    async def drip(request: web.Request, data: bytes) -> web.StreamResponse:
        headers = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        response = await streamed(request, status=206, headers=headers)
        for byte in data:
            await response.write(bytes([byte]))
            await asyncio.sleep(0.2)
        return response

    site.files["call-log/data"] = drip
    done = CliRunner().invoke(main, ["verify", site.address, "--max-time", "1", "--json"])
    assert done.exit_code == 3
    assert '"code": "time"' in done.stdout


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_nothing_is_unpacked(site: Site, copy: Path, coding: str) -> None:
    async def bomb(request: web.Request, data: bytes) -> web.StreamResponse:
        headers = {
            "Content-Encoding": coding,
            "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}",
        }
        return web.Response(status=206, headers=headers, body=gzip.compress(bytes(10**7)))

    site.files["call-log/tree"] = bomb
    assert f"it is sent as {coding}" in str(could_not(site, copy))
    assert (copy / "call-log.tree.new").stat().st_size == 0


# --- servers that lead us elsewhere, or answer beside the question


def test_redirects_are_not_followed(backend: Path, copy: Path) -> None:
    with Site(backend) as elsewhere, Site(backend) as site:
        target = f"{elsewhere.url}/feeds/call-log/head"
        site.heads["call-log"] = lambda _: web.Response(status=302, headers={"Location": target})
        error = could_not(site, copy)
        assert target in str(error)
        assert "by its own address" in str(error.hint)
        site.heads.clear()

        async def away(_: web.Request, __: bytes) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": f"{elsewhere.url}/x"})

        site.files["metadata/tree"] = away
        assert elsewhere.url in str(could_not(site, copy))
        assert elsewhere.asked == []


def test_a_redirected_handshake_is_not_followed(backend: Path) -> None:
    with Site(backend) as elsewhere, Site(backend) as site:
        site.away = f"{elsewhere.url}/"
        done = CliRunner().invoke(main, ["verify", site.address])
        assert done.exit_code == 3
        assert elsewhere.url in done.stderr
        assert elsewhere.asked == []


@pytest.mark.parametrize("status", [204, 400, 404, 416])
def test_other_answers_are_named(site: Site, copy: Path, status: int) -> None:
    async def answer(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.Response(status=status)

    site.files["call-log/data"] = answer
    assert f"status {status}" in str(could_not(site, copy))
    assert site.asked.count("call-log/data") == 1


@pytest.mark.parametrize("told", ["bytes 1-9/10", "bytes 0-99999999/*", "bytes */10", ""])
def test_another_range_is_refused(site: Site, copy: Path, told: str) -> None:
    async def other(_: web.Request, data: bytes) -> web.StreamResponse:
        return web.Response(status=206, body=data, headers={"Content-Range": told})

    site.files["call-log/data"] = other
    assert "Content-Range says" in str(could_not(site, copy))


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"[]",
        b"null",
        b"",
        b"\xff\xfe",
        b'{"key":"00","length":1,"byteLength":1,"signature":""}',
        b'{"key":"%s","length":-1,"byteLength":1,"signature":"%s"}' % (b"0" * 64, b"0" * 128),
        b'{"key":"%s","length":1,"byteLength":-1,"signature":"%s"}' % (b"0" * 64, b"0" * 128),
        b'{"key":"%s","length":1.5,"byteLength":1,"signature":"%s"}' % (b"0" * 64, b"0" * 128),
        b'{"key":"%s","length":0,"byteLength":1,"signature":"%s"}' % (b"0" * 64, b"0" * 128),
        b"[" * 4000,
    ],
)
def test_what_is_no_head_is_called_so(site: Site, copy: Path, body: bytes) -> None:
    site.heads["metadata"] = lambda _: web.Response(body=body)
    assert "metadata/head" in str(could_not(site, copy))
    assert not copy.exists()


# --- servers that lie


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.update(length=head["length"] - 1),
        lambda head: head.update(length=head["length"] + 1),
        lambda head: head.update(byteLength=head["byteLength"] + 1),
        lambda head: head.update(byteLength=0),
        lambda head: head.update(signature="00" * 64),
        lambda head: head.update(key=KeyPair.from_seed(bytes(32)).public.hex()),
        lambda head: head.update(length=0, signature="", byteLength=1),
    ],
)
def test_a_head_that_the_key_did_not_sign_is_proved_false(
    engine: Engine, site: Site, copy: Path, feed: str, change: Callable[[Head], object]
) -> None:
    async def padded(request: web.Request, data: bytes) -> web.StreamResponse:
        return await ranged(request, data + bytes(200))

    site.heads[feed] = change
    site.files[f"{feed}/tree"] = padded
    with pytest.raises(ProvedFalseError) as caught:
        fetch_and_verify(engine, site, copy)
    assert caught.value.code == "head-false"
    assert feed in str(caught.value)


@pytest.mark.parametrize(
    "claim", [{"callLogUrl": "dat://" + "0" * 64}, {"filesArchiveUrl": "dat://" + "0" * 64}]
)
def test_a_handshake_that_names_another_backend_is_proved_false(site: Site, claim: Head) -> None:
    site.claims = claim
    done = CliRunner().invoke(main, ["verify", site.address])
    assert done.exit_code == 1
    assert next(iter(claim.values())) in done.stderr


def test_what_the_handshake_says_of_the_script_is_held_against_the_log(
    engine: Engine, site: Site, backend: Path
) -> None:
    right = Verifier(engine).verify(backend).epochs[0].code_hash
    for claims, code in (
        ({"codeHash": right, "epoch": 0, "debug": False}, 0),
        ({"codeHash": right, "epoch": 2, "debug": False}, 1),
        ({"codeHash": right, "epoch": 0, "debug": True}, 1),
        ({"codeHash": "0" * 64, "epoch": 0, "debug": False}, 1),
    ):
        site.claims = claims
        done = CliRunner().invoke(main, ["verify", site.address, "--no-memory"])
        assert done.exit_code == code, claims
        assert ("the server says" in done.stderr) == bool(code)


@pytest.mark.parametrize("claim", [{"callLogUrl": 7}, {"methods": None}])
def test_a_handshake_that_is_none_could_not_be_checked(site: Site, claim: Head) -> None:
    site.claims = claim
    assert CliRunner().invoke(main, ["verify", site.address]).exit_code == 3


def test_contents_of_another_backend_are_proved_false(
    engine: Engine, site: Site, copy: Path, tmp_path: Path
) -> None:
    other = backends.photos(engine, tmp_path / "other")
    site._places["content"] = (other / "files" / "content", "")
    with pytest.raises(ProvedFalseError):
        fetch_and_verify(engine, site, copy)


def flipped(at: int) -> Callable[[web.Request, bytes], Any]:
    async def answer(request: web.Request, data: bytes) -> web.StreamResponse:
        place = at % len(data)
        changed = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        return await ranged(request, changed)

    return answer


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("part", ["data", "tree", "signatures"])
def test_every_changed_byte_that_is_served_is_proved_false(
    engine: Engine, site: Site, tmp_path: Path, feed: str, part: str
) -> None:
    size = site.path(feed, part).stat().st_size
    for at in range(0, size, size // 12 + 1):
        site.files[f"{feed}/{part}"] = flipped(at)
        try:
            report = fetch_and_verify(engine, site, tmp_path / str(at))
        except ProvedFalseError:
            continue
        # Only where no node belongs yet, and what is served there is not taken over.
        assert part == "tree"
        assert report.entries == 4
        honest = site.path(feed, part).read_bytes()
        fetched = tmp_path / str(at) / site.path(feed, part).relative_to(site.directory)
        assert fetched.read_bytes() == honest


# --- copies that are kept


def test_a_damaged_copy_is_mended(engine: Engine, site: Site, copy: Path) -> None:
    fetch(site, copy)
    for file in copy.rglob("*"):
        if file.is_file() and not file.name.endswith("key"):
            for offset in (0, file.stat().st_size - 1):
                host.flip(file, offset)
                assert fetch_and_verify(engine, site, copy).entries == 4, (file, offset)


def test_only_what_is_missing_is_fetched(engine: Engine, tmp_path: Path, copy: Path) -> None:
    growing = Honest(engine, tmp_path / "growing").run(COUNTER, [("increment",)] * 4)
    with Site(growing.directory) as site:
        fetch(site, copy)
        before = (copy / "call-log.data").stat().st_size
        growing.run(COUNTER, [("increment",)] * 4)
        starts: list[int] = []

        async def noted(request: web.Request, data: bytes) -> web.StreamResponse:
            starts.append(request.http_range.start)
            return await ranged(request, data)

        site.files["call-log/data"] = noted
        assert fetch_and_verify(engine, site, copy).entries == 10
        assert starts == [before]


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_a_copy_is_evidence_against_a_shorter_log(
    engine: Engine, tmp_path: Path, copy: Path
) -> None:
    honest = Honest(engine, tmp_path / "one").run(COUNTER, [("increment",)])
    older = honest.copy(tmp_path / "older")
    honest.run(COUNTER, [("increment",)])
    with Site(honest.directory) as site:
        fetch(site, copy)
    kept = contents(copy)
    with Site(older) as site:
        with pytest.raises(EntryFalseError, match="entry 2 is missing") as caught:
            fetch(site, copy)
        assert (caught.value.code, caught.value.entry) == ("log-shortened", 2)
        with pytest.raises(UsageError, match="would cut it"):
            fetch(site, copy, allow_older=True)
        assert contents(copy) == kept
        assert fetch_and_verify(engine, site, tmp_path / "elsewhere").entries == 2


def test_a_copy_is_evidence_against_another_history(
    engine: Engine, tmp_path: Path, copy: Path
) -> None:
    one = Honest(engine, tmp_path / "one").run(COUNTER, [("increment",)])
    two = Honest(engine, one.copy(tmp_path / "two"))
    one.run(COUNTER, [("increment",)], start_ms=host.START_MS + 10**7)
    two.run(COUNTER, [("increment",)] * 3, start_ms=host.START_MS + 10**8)
    with Site(one.directory) as site:
        fetch(site, copy)
    kept = contents(copy)
    with Site(two.directory) as site, pytest.raises(EntryFalseError) as caught:
        fetch(site, copy)
    assert (caught.value.code, caught.value.entry) == ("log-rewritten", 2)
    (copy / "call-log.tree.new").unlink()
    assert {k: v for k, v in contents(copy).items() if "call-log" in k} == {
        k: v for k, v in kept.items() if "call-log" in k
    }


def test_a_fetch_that_broke_off_is_not_called_a_lie(engine: Engine, site: Site, copy: Path) -> None:
    async def gone(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.Response(status=404)

    for feed in FEEDS:
        for part in ("tree", "signatures", "data"):
            site.files[f"{feed}/{part}"] = gone
            with pytest.raises(CouldNotCheckError):
                fetch(site, copy)
            with pytest.raises(CouldNotCheckError):
                Verifier(engine).verify(copy)
            del site.files[f"{feed}/{part}"]
    assert fetch_and_verify(engine, site, copy).entries == 4


def test_a_copy_of_another_backend_is_not_overwritten(
    engine: Engine, site: Site, tmp_path: Path, copy: Path
) -> None:
    with Site(backends.photos(engine, tmp_path / "other")) as other:
        fetch(other, copy)
    kept = contents(copy)
    with pytest.raises(UsageError, match="another backend"):
        fetch(site, copy)
    assert contents(copy) == kept


def test_a_folder_of_something_else_is_not_strewn_with_a_copy(site: Site, copy: Path) -> None:
    copy.mkdir()
    (copy / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty and holds no copy"):
        fetch(site, copy)
    assert [path.name for path in copy.iterdir()] == ["letter.txt"]


def test_a_place_that_cannot_be_written_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = could_not(site, tmp_path / "file" / "copy")
    assert error.code == "not-writable"
    assert "--dir" in str(error.hint)


def test_a_server_that_is_gone_could_not_be_checked(backend: Path, copy: Path) -> None:
    with Site(backend) as site:
        pass
    assert isinstance(could_not(site, copy), NodeVMSError)
