"""What ``nodevms exec`` leaves on disk, in the hands of npm's hypercore and hyperdrive."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import call_with_npm_client, example, in_process, serving
from hyperdrive_programs import files_of, read_drive, run, write_drive

from nodevms.vm import CallLog

PHOTOS = [("cat.png", "iVBORw=="), ("big", base64.b64encode(bytes(100_000)).decode())]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a photo album that was stopped, started again and stopped."""
    directory = tmp_path_factory.mktemp("served") / "album"
    for name, data in PHOTOS:
        with serving(example("photos.js"), "--dir", str(directory)) as server:
            added = call_with_npm_client(server.address, ("addPhoto", [name, data, "base64"]))
            assert added == ["undefined"]
    return directory


def verified(directory: Path) -> tuple[int, dict[str, Any]]:
    done = in_process("verify", str(directory), "--no-memory", "--json")
    return done.exit_code, json.loads(done.stdout)


def test_hypercore_reads_the_call_log(album: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(album, tmp_path / "copy")
    found = run("hypercore_read.js", str(copy), "call-log.", "[]")
    with CallLog.open(album) as log:
        assert (f"dat://{found['key']}", found["length"]) == (log.url, len(log))
    entries = [json.loads(base64.b64decode(block)) for block in found["blocks"]]
    assert [entry["type"] for entry in entries] == ["init", "call", "restart", "call"]
    assert entries[1]["call"]["args"] == [*PHOTOS[0], "base64"]
    assert found["audit"] == {"valid": 4, "invalid": 0}


def test_hyperdrive_reads_the_files(album: Path, tmp_path: Path) -> None:
    files = shutil.copytree(album / "files", tmp_path / "files")
    newest = read_drive(files, [])["version"]
    found = read_drive(files, [newest])["versions"][str(newest)]
    assert files_of(found) == {f"/photos/{name}": base64.b64decode(data) for name, data in PHOTOS}


def test_what_others_append_with_the_hosts_keys_is_proved_false(
    album: Path, tmp_path: Path
) -> None:
    assert verified(album)[0] == 0
    logged = shutil.copytree(album, tmp_path / "logged")
    with CallLog.open(album) as log:
        again = log.block(3)
    blocks = json.dumps([[base64.b64encode(again).decode()]])
    run("hypercore_append.js", str(logged), "call-log.", "-", text=blocks)
    code, document = verified(logged)
    assert (code, document["entry"]) == (1, 4)
    published = shutil.copytree(album, tmp_path / "published")
    write_drive(published / "files", [("writeFile", "/photos/forged", b"x")])
    code, document = verified(published)
    assert (code, document["verdict"]) == (1, "proved-false")
