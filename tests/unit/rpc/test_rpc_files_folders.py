"""Folders over HTTP: as a page, as JSON, and page by page."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urljoin

import pytest
from reading import Reader, reading, running

from nodevms import DatArchive
from nodevms.sandbox import Engine

ODD = ['a:b?c#d %41"<b>é.txt', "  two spaces", "&amp;", "\u202egnp.exe", "…", "+", "~", "'"]
LONG = "/".join(["é" * 127] * 16)


@pytest.fixture(scope="module")
def directory(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("folders") / "backend"

    async def make() -> None:
        async with running(engine, directory) as vm:
            for name in ODD:
                await vm.exports.write(f"/odd/{name}", name)
            await vm.exports.write("/site/index.html", "<h1>site</h1>")
            await vm.exports.mkdir("/dull")
            await vm.exports.mkdir("/dull/index.html")
            await vm.exports.many("/many", 1200, 4)
            await vm.exports.write(f"/{LONG}/x", "deep")

    asyncio.run(make())
    return directory


@pytest.fixture
def archive(directory: Path) -> Iterator[DatArchive]:
    with DatArchive.open(directory) as archive:
        yield archive


class Links(HTMLParser):
    """Collects the links and the tags of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]


async def test_the_page_leads_to_every_file_whatever_its_name(archive: DatArchive) -> None:
    async with reading(archive, "/bob") as reader:
        got = await reader.get("/bob/files/odd/")
        assert (got.status, got.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        page = Links(got.body)
        assert page.tags.isdisjoint({"script", "b", "i", "img", "iframe", "form"})
        text = got.body.decode()
        assert "An &lt;i&gt;album&lt;/i&gt;" in text
        assert "\u202e" not in unescape(text)
        assert "[U+202E]gnp.exe" in text
        assert archive.url in page.links
        bodies = set()
        for link in page.links:
            if link.startswith(("dat:", "?", "../")):
                continue
            target = urljoin("/bob/files/odd/", link)
            assert target.startswith("/bob/files/odd/")
            bodies.add((await reader.get(target)).body.decode())
        assert bodies == set(ODD)
        assert "../" in page.links


async def test_the_page_runs_and_loads_nothing_but_its_style(archive: DatArchive) -> None:
    async with reading(archive) as reader:
        got = await reader.get("/files/")
    policy = got.headers["Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", got.body.decode(), re.DOTALL)
    assert style
    digest = sha256(style[1].encode()).digest()
    assert f"style-src 'sha256-{b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


async def test_the_page_says_its_version_and_leads_to_others(archive: DatArchive) -> None:
    newest = archive.version
    async with reading(archive) as reader:
        page = (await reader.get("/files/")).body.decode()
        assert f"version {newest:,} of the files, the newest" in page
        assert f"?version={newest - 1}" in Links(page.encode()).links
        old = Links((await reader.get("/files/?version=3")).body).links
        assert {"?version=2", "?version=4", "./", "odd/?version=3"} <= set(old)
        odd = Links((await reader.get("/files/odd/?version=3")).body).links
        assert "../?version=3" in odd
        assert b"There is nothing here" in (await reader.get("/files/?version=0")).body


async def test_json(archive: DatArchive) -> None:
    async with reading(archive) as reader:
        by_accept = await reader.get("/files/site/", {"Accept": "application/json"})
        by_query = await reader.get("/files/site/?format=json")
        assert by_accept.body == by_query.body
        assert by_query.headers["Content-Type"] == "application/json"
        content = b"<h1>site</h1>"
        mtime = archive.stat("/site/index.html").mtime_ms
        assert by_query.json == {
            "url": archive.url,
            "title": "An <i>album</i>",
            "version": archive.version,
            "path": "/site/",
            "entries": [
                {
                    "kind": "file",
                    "name": "index.html",
                    "size": len(content),
                    "sha256": sha256(content).hexdigest(),
                    "mtime": mtime,
                }
            ],
            "next": None,
        }
        root = (await reader.get("/files/?format=json")).json
        assert root["path"] == "/"
        assert [(e["kind"], e["name"]) for e in root["entries"]][:2] == [
            ("folder", "dull"),
            ("folder", "many"),
        ]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/html"),
        ("text/html", "text/html"),
        ("application/json;q=0.5, text/html", "text/html"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("application/json;q=0", "text/html"),
        ("text/html;level=1;q=0.1,APPLICATION/JSON", "application/json"),
        (",;q=9,;;", "text/html"),
    ],
)
async def test_who_gets_what(archive: DatArchive, accept: str, kind: str) -> None:
    async with reading(archive) as reader:
        got = await reader.get("/files/odd/", {"Accept": accept})
    assert (got.status, got.headers["Content-Type"].partition(";")[0]) == (200, kind)
    assert "Accept" in got.headers["Vary"]


async def test_an_index_stands_for_its_folder_unless_a_listing_is_wanted(
    archive: DatArchive,
) -> None:
    async with reading(archive) as reader:
        site = await reader.get("/files/site/")
        assert site.body == b"<h1>site</h1>"
        assert "sandbox" in site.headers["Content-Security-Policy"]
        listed = await reader.get("/files/site/?format=html")
        assert 'href="index.html"' in listed.body.decode()
        assert "sandbox" not in listed.headers["Content-Security-Policy"]
        assert f"?version={archive.version - 1}&format=html" in Links(listed.body).links
        assert b"index.html" in (await reader.get("/files/dull/")).body


async def names(reader: Reader, limit: int, version: int) -> list[str]:
    """Go through a folder page by page, as docs/reading.md says."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        query = f"?format=json&limit={limit}&version={version}&after={after}"
        page = (await reader.get(f"/files/many/{query}")).json
        assert len(page["entries"]) <= limit
        found += [entry["name"] for entry in page["entries"]]
        after = page["next"]
    return found


async def test_a_large_folder_comes_in_pages(archive: DatArchive) -> None:
    expected = archive.readdir("/many")
    assert len(expected) == 1200
    async with reading(archive) as reader:
        for limit in (1000, 600, 300, 256, 255):
            assert await names(reader, limit, archive.version) == expected, limit
        assert (await reader.get("/files/many/?format=json")).json["next"] == "0999"
        assert (await reader.get("/files/many/?format=json&after=1199")).json["entries"] == []
        first = Links((await reader.get("/files/many/")).body)
        more = [link for link in first.links if "after=" in link]
        assert more == ["?after=0999"]
        second = Links((await reader.get(f"/files/many/{more[0]}")).body)
        assert "1199" in second.links
        assert not [link for link in second.links if "after=" in link]


async def test_the_longest_path_has_a_url(archive: DatArchive) -> None:
    path = f"/{LONG}/x"
    assert 4080 < len(path.encode()) <= 4096
    async with reading(archive) as reader:
        got = await reader.get(f"/files{quote(path)}?version={archive.version}")
    assert (got.status, got.body) == (200, b"deep")
