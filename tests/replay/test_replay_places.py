"""Whatever stands in a directory in a file's place: a reader neither waits for it nor spoils it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import backends
import pytest
from click.testing import CliRunner
from dishonest_site import Site

from nodevms.audit import Fetcher, Verifier
from nodevms.cli import main
from nodevms.errors import CouldNotCheckError, NodeVMSError, UsageError
from nodevms.sandbox import Engine


@pytest.fixture(scope="module")
def backend(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backends.photos(engine, tmp_path_factory.mktemp("photos") / "backend")


@pytest.fixture
def site(backend: Path) -> Iterator[Site]:
    with Site(backend) as site:
        yield site


def fetch(site: Site, place: Path) -> None:
    async def run() -> None:
        fetcher = Fetcher(site.url, place)
        await fetcher.heads()
        for name in ("call-log", "metadata", "content"):
            await fetcher.fetch(name)

    asyncio.run(run())


READ = [
    *(f"call-log.{part}" for part in ("key", "data", "tree", "signatures")),
    *(f"files/metadata/{part}" for part in ("key", "data", "tree", "signatures")),
    *(f"files/content/{part}" for part in ("key", "data", "tree", "signatures")),
    "journal",
]


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_could_not_be_checked(
    engine: Engine, backend: Path, tmp_path: Path, name: str, kind: str
) -> None:
    place = Path(shutil.copytree(backend, tmp_path / "copy"))
    (place / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place / name)
    elif kind == "device":
        (place / name).symlink_to("/dev/zero")
    else:
        (place / name).mkdir()
    with pytest.raises(CouldNotCheckError, match="not a plain file"):
        Verifier(engine).verify(place)


@pytest.mark.parametrize("name", ["lock", "backend.json", "state.db", "call-log.bitfield"])
def test_pipes_that_are_not_read_change_nothing(
    engine: Engine, backend: Path, tmp_path: Path, name: str
) -> None:
    place = Path(shutil.copytree(backend, tmp_path / "copy"))
    (place / name).unlink(missing_ok=True)
    os.mkfifo(place / name)
    assert Verifier(engine).verify(place).entries == 4
    shown = CliRunner().invoke(main, ["info", str(place), "--json"])
    assert json.loads(shown.stdout)["entries"] == 4


def snapshot(place: Path) -> dict[str, bytes]:
    files = (path for path in sorted(place.rglob("*")) if path.is_file())
    return {str(path.relative_to(place)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["notes.txt", "files/metadata/x", "call-log.data"])
def test_a_copy_goes_into_no_folder_with_other_things(
    site: Site, tmp_path: Path, name: str
) -> None:
    precious = tmp_path / "precious"
    (precious / name).parent.mkdir(parents=True)
    (precious / name).write_text("mine")
    before = snapshot(precious)
    with pytest.raises(UsageError, match="not empty and holds no copy"):
        fetch(site, precious)
    assert snapshot(precious) == before


def test_a_copy_goes_into_an_empty_folder(site: Site, tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    fetch(site, tmp_path / "link")
    assert Verifier(engine).verify(tmp_path / "empty").entries == 4


@pytest.mark.parametrize(
    "name", ["call-log.data", "call-log.tree.new", "call-log.signatures.new", "files/content/data"]
)
def test_a_copy_is_not_written_through_a_link(site: Site, tmp_path: Path, name: str) -> None:
    fetch(site, tmp_path / "copy")
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "copy" / name).unlink(missing_ok=True)
    (tmp_path / "copy" / name).symlink_to(precious)
    with pytest.raises(CouldNotCheckError, match="cannot be written"):
        fetch(site, tmp_path / "copy")
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("name", ["files", "files/content", "files/metadata"])
def test_a_copy_is_not_written_into_a_linked_folder(site: Site, tmp_path: Path, name: str) -> None:
    fetch(site, tmp_path / "copy")
    elsewhere = (tmp_path / "copy" / name).rename(tmp_path / "elsewhere")
    (tmp_path / "copy" / name).symlink_to(elsewhere)
    before = snapshot(elsewhere)
    with pytest.raises(UsageError, match="is a link"):
        fetch(site, tmp_path / "copy")
    assert snapshot(elsewhere) == before


@pytest.mark.parametrize("part", ["data", "key"])
def test_a_pipe_in_a_copy_is_not_waited_for(site: Site, tmp_path: Path, part: str) -> None:
    fetch(site, tmp_path / "copy")
    (tmp_path / "copy" / f"call-log.{part}").unlink()
    os.mkfifo(tmp_path / "copy" / f"call-log.{part}")
    with pytest.raises(NodeVMSError, match="cannot be written"):
        fetch(site, tmp_path / "copy")
