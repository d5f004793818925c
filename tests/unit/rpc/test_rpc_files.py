"""The files over HTTP: what is shown, at which version, under which headers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from reading import reading, running

from nodevms import DatArchive
from nodevms.sandbox import Engine

BIG = "".join(chr(33 + n % 90) for n in range(150_001))
ODD = 'a:b?c#d %41"<b>é.txt'


@pytest.fixture(scope="module")
def directory(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files") / "backend"

    async def make() -> None:
        async with running(engine, directory) as vm:
            write = vm.exports.write
            await write("/counter", 1)  # version 1
            await write("/counter", 2)  # 2
            await write(f"/photos/{ODD}", "odd")  # 3 and 4
            await write("/photos/big.bin", BIG)  # 5
            await write("/photos/empty.txt", "")  # 6
            await write("/site/index.html", "<script>1</script>")  # 7 and 8
            await write("/site/s.js", "1")  # 9
            await write("/noise", "/wA=", "base64")  # 10
            await vm.exports.remove("/noise")  # 11
            await write("/noise", "/wA=", "base64")  # 12

    asyncio.run(make())
    return directory


@pytest.fixture
def archive(directory: Path) -> Iterator[DatArchive]:
    with DatArchive.open(directory) as archive:
        yield archive


@pytest.mark.parametrize("mount", ["/", "/bob/album"])
async def test_a_file_comes_with_its_type_its_tag_and_its_version(
    archive: DatArchive, mount: str
) -> None:
    async with reading(archive, mount) as reader:
        got = await reader.get(f"{mount.rstrip('/')}/files/photos/big.bin")
    assert (got.status, got.body) == (200, BIG.encode())
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["ETag"] == f'"{sha256(BIG.encode()).hexdigest()}"'
    assert got.headers["Last-Modified"] == "Sun, 13 Sep 2020 12:26:45 GMT"
    assert got.headers["Cache-Control"] == "no-cache"
    assert got.headers["Nodevms-Files-Version"] == "12"
    assert got.headers["Nodevms-Log-Length"] == "11"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("counter", "text/plain; charset=utf-8"),
        ("noise", "application/octet-stream"),
        ("site/s.js", "text/javascript; charset=utf-8"),
        ("site/", "text/html; charset=utf-8"),
        ("photos/empty.txt", "text/plain; charset=utf-8"),
    ],
)
async def test_types(archive: DatArchive, path: str, content_type: str) -> None:
    async with reading(archive) as reader:
        got = await reader.get(f"/files/{path}")
        assert (got.status, got.headers["Content-Type"]) == (200, content_type)
        head = await reader.get(f"/files/{path}", method="HEAD")
        assert (head.status, head.body) == (200, b"")
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("path", ["site/", "site/s.js", "counter", "photos/big.bin"])
async def test_nothing_of_a_script_can_run_in_a_browser(archive: DatArchive, path: str) -> None:
    async with reading(archive) as reader:
        headers = (await reader.get(f"/files/{path}")).headers
    policy = dict(
        part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";")
    )
    assert set(policy["sandbox"].split()) == {"allow-same-origin", "allow-downloads"}
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert not {"script-src", "script-src-elem", "worker-src", "object-src", "frame-src"} & set(
        policy
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_older_versions(archive: DatArchive) -> None:
    async with reading(archive) as reader:
        for version, status, body in ((1, 200, b"1"), (2, 200, b"2"), (12, 200, b"2")):
            got = await reader.get(f"/files/counter?version={version}")
            assert (got.status, got.body) == (status, body)
            assert got.headers["Nodevms-Files-Version"] == str(version)
            assert "Nodevms-Log-Length" not in got.headers
        assert (await reader.get("/files/counter?version=0")).status == 404
        assert (await reader.get("/files/noise?version=11")).status == 404
        assert (await reader.get("/files/?version=0&format=json")).json["entries"] == []
        later = await reader.get("/files/counter?version=13")
        assert later.status == 404
        assert later.json["error"]["code"] == "files-unknown-version"
        assert "newest is 12" in later.json["error"]["message"]
        assert later.headers["Cache-Control"] == "no-store"


async def test_only_a_pinned_version_on_a_public_host_is_for_ever(archive: DatArchive) -> None:
    for_ever = "public, max-age=31536000, immutable"
    async with reading(archive, allow_origins=["https://example.org"]) as reader:
        public = {"Host": "example.org"}
        for target, headers, expected in (
            ("/files/counter?version=1", public, for_ever),
            ("/files/?version=1&format=json", public, for_ever),
            ("/files/?version=1", public, "no-cache"),
            ("/files/counter", public, "no-cache"),
            ("/files/counter?version=1", {}, "no-cache"),
        ):
            got = await reader.get(target, headers)
            assert (got.status, got.headers["Cache-Control"]) == (200, expected), target


async def test_conditions(archive: DatArchive) -> None:
    async with reading(archive) as reader:
        tag = (await reader.get("/files/counter")).headers["ETag"]
        date = (await reader.get("/files/counter")).headers["Last-Modified"]
        folder = (await reader.get("/files/", {"Accept": "application/json"})).headers["ETag"]
        for target, headers, status in (
            ("/files/counter", {"If-None-Match": tag}, 304),
            ("/files/counter", {"If-None-Match": f'"x", W/{tag}'}, 304),
            ("/files/counter", {"If-None-Match": '"x"'}, 200),
            ("/files/counter", {"If-None-Match": '"x"', "If-Modified-Since": date}, 200),
            ("/files/counter", {"If-Modified-Since": date}, 304),
            ("/files/counter", {"If-Modified-Since": "Sun, 13 Sep 2020 12:26:40 GMT"}, 200),
            ("/files/counter", {"If-Modified-Since": "yesterday"}, 200),
            ("/files/counter", {"If-Match": tag}, 200),
            ("/files/counter", {"If-Match": '"x"'}, 412),
            ("/files/counter", {"If-Unmodified-Since": "Sun, 13 Sep 2020 12:26:40 GMT"}, 412),
            ("/files/counter?version=1", {"If-None-Match": tag}, 200),
            ("/files/?format=json", {"If-None-Match": folder}, 304),
            ("/files/?format=html", {"If-None-Match": folder}, 200),
            ("/files/?format=json&version=5", {"If-None-Match": folder}, 200),
        ):
            got = await reader.get(target, headers)
            assert got.status == status, (target, headers)
            if status == 304:
                assert got.body == b""
                assert got.headers["ETag"]
                assert got.headers["Cache-Control"] == "no-cache"


async def test_ranges(archive: DatArchive) -> None:
    whole, target = BIG.encode(), "/files/photos/big.bin"
    size = len(whole)
    async with reading(archive) as reader:
        tag = (await reader.get(target)).headers["ETag"]
        for wanted, start, stop in (
            ("bytes=0-0", 0, 1),
            ("bytes=65535-65536", 65535, 65537),
            ("bytes=65536-131071", 65536, 131072),
            ("bytes=131072-", 131072, size),
            (f"bytes=10-{size + 10**20}", 10, size),
            ("bytes=-7", size - 7, size),
            (f"bytes=-{size + 1}", 0, size),
            ("Bytes=0-", 0, size),
        ):
            got = await reader.get(target, {"Range": wanted, "If-Range": tag})
            told = got.headers["Content-Range"]
            assert (got.status, got.body) == (206, whole[start:stop]), wanted
            assert told == f"bytes {start}-{stop - 1}/{size}"
            head = await reader.get(target, {"Range": wanted}, "HEAD")
            assert (head.status, head.headers["Content-Length"]) == (200, str(size))
        for headers in (
            {"Range": "bytes=0-1,3-4"},
            {"Range": "bytes=7-5"},
            {"Range": "lines=1-2"},
            {"Range": "bytes=-"},
            {"Range": "bytes=٣-"},
            {"Range": "bytes=0-0", "If-Range": '"other"'},
            {"Range": "bytes=0-0", "If-Range": f"W/{tag}"},
            {"Range": "bytes=0-0", "If-Range": "Sun, 13 Sep 2020 12:26:45 GMT"},
        ):
            got = await reader.get(target, headers)
            assert (got.status, got.body) == (200, whole), headers
        for wanted in ("bytes=-0", f"bytes={size}-", f"bytes={size}-{size}"):
            got = await reader.get(target, {"Range": wanted})
            assert (got.status, got.headers["Content-Range"]) == (416, f"bytes */{size}"), wanted
        for wanted in ("bytes=0-", "bytes=-1"):
            assert (await reader.get("/files/photos/empty.txt", {"Range": wanted})).status == 416


async def test_urls_that_say_nothing_clear_are_refused(archive: DatArchive) -> None:
    async with reading(archive, "/bob") as reader:
        for below, status in (
            ("counter", 200),
            ("%63ounter", 200),
            ("photos/a%3Ab%3Fc%23d%20%2541%22%3Cb%3E%C3%A9.txt", 200),
            ("Counter", 404),
            ("counter/", 404),
            ("counter/x", 404),
            ("photos%2Fempty.txt", 400),
            ("photos//empty.txt", 400),
            ("/counter", 400),
            ("//", 400),
            ("./counter", 400),
            ("photos/../counter", 400),
            ("photos/%2e%2e/counter", 400),
            ("photos/%2E", 400),
            ("%00", 400),
            ("counter%00", 400),
            ("a%5Cb", 400),
            ("%ff", 400),
            ("%ed%a0%80", 400),
            ("100%", 400),
            ("%4", 400),
            ("%zz", 400),
            ("a" * 256, 400),
            ("counter?version=", 400),
            ("counter?version=-1", 400),
            ("counter?version=01", 400),
            ("counter?version=1.0", 400),
            ("counter?version=%D9%A1", 400),
            ("counter?version=99999999999999999", 400),
            ("counter?version=1&version=2", 400),
            ("counter?format=xml", 400),
            ("?limit=0", 400),
            ("?limit=1001", 400),
            ("?after=a/b", 400),
            ("?after=..", 400),
            ("?after=%ff", 400),
            ("?after=%00", 400),
            ("counter?utm=1&utm=2", 200),
            ("?" + "&".join(f"a{n}" for n in range(100)), 400),
        ):
            line = await reader.raw(b"/bob/files/" + below.encode())
            assert int(line.split()[1]) == status, (below, line)
        for target in (b"/bob%2Ffiles/counter", b"/bob/files%2Fcounter", b"//bob/files/counter"):
            assert int((await reader.raw(target)).split()[1]) in (400, 404), target
        for target in (
            b"/bob/files/\xff",
            b"/bob/files/?after=\xed\xa0\x80",
            b"/bob/files/\xc3\xa9",
        ):
            assert int((await reader.raw(target)).split()[1]) in (400, 404), target


async def test_a_folder_without_its_slash_is_sent_on_within_the_server(archive: DatArchive) -> None:
    async with reading(archive, "/bob") as reader:
        for target, location in (
            ("/bob/files", "./files/"),
            ("/bob/files?version=3", "./files/?version=3"),
            ("/bob/files/photos", "./photos/"),
            ("/bob/files/photos?version=4&format=json&x=//evil", "./photos/?version=4&format=json"),
        ):
            got = await reader.get(target)
            assert (got.status, got.headers["Location"]) == (302, location)
            assert got.headers["Cache-Control"] == "no-cache"


async def test_methods_and_other_origins(archive: DatArchive) -> None:
    async with reading(archive, allow_origins=["https://example.org"]) as reader:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            got = await reader.get("/files/counter", method=method)
            assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        friend = await reader.get("/files/counter", {"Origin": "https://example.org"})
        assert friend.headers["Access-Control-Allow-Origin"] == "https://example.org"
        assert "ETag" in friend.headers["Access-Control-Expose-Headers"]
        assert "Origin" in friend.headers["Vary"]
        assert "Origin" in (await reader.get("/files/counter")).headers["Vary"]
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil"}):
            assert (await reader.get("/files/counter", headers)).status == 403
    async with reading(archive, allow_origins=["*"]) as reader:
        got = await reader.get("/files/counter", {"Host": "[", "Origin": "null"})
        assert got.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_refusals_are_pages_for_browsers(archive: DatArchive) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with reading(archive) as reader:
        got = await reader.get("/files/photos/%3Cscript%3E", browser)
        assert got.status == 404
        assert got.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"<script" not in got.body
        assert b'href="../"' in got.body
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert (await reader.get("/files/nothing")).json["error"]["code"] == "files-not-found"
