"""The drive of the reference vector, byte for byte, and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodevms.archive.drive import Drive
from nodevms.archive.drive_errors import NotInDriveError
from nodevms.archive.drive_writer import DriveWriter
from nodevms.feed import Feed, KeyPair

VECTOR = Path(__file__).parents[2] / "vectors" / "dat_v1_drive"
STEPS = json.loads((VECTOR / "vector.json").read_text())


def contents() -> list[bytes]:
    data = (VECTOR / "content" / "data").read_bytes()
    found = []
    at = 0
    for step in STEPS["steps"]:
        found.append(data[at : at + step.get("size", 0)])
        at += step.get("size", 0)
    return found


def write_vector(folder: Path) -> None:
    pair = KeyPair.from_seed(bytes.fromhex(STEPS["seed"]))
    metadata = Feed.create(folder / "metadata", "", pair)
    content = Feed.create(folder / "content", "", pair.content_key_pair())
    with metadata, content:
        drive = DriveWriter(metadata, content)
        for step, data in zip(STEPS["steps"], contents(), strict=True):
            name = step["name"]
            if step["op"] == "writeFile":
                version = drive.write_file(name, data, mtime_ms=step["mtime"])
            elif step["op"] == "mkdir":
                version = drive.mkdir(name, mtime_ms=step["mtime"])
            else:
                version = drive.unlink(name) if step["op"] == "unlink" else drive.rmdir(name)
            assert version == step["version"]


def test_the_same_keys_and_changes_give_the_same_twelve_files(tmp_path: Path) -> None:
    write_vector(tmp_path)
    for feed in ("metadata", "content"):
        for file in ("key", "data", "tree", "signatures", "bitfield"):
            ours = (tmp_path / feed / file).read_bytes()
            assert ours == (VECTOR / feed / file).read_bytes(), f"{feed}/{file}"


@pytest.fixture
def drive() -> Drive:
    metadata = Feed.open(VECTOR / "metadata", "", writable=False)
    content = Feed.open(VECTOR / "content", "", writable=False)
    return Drive(metadata, content)


def test_folders_and_stats_are_those_of_hyperdrive(drive: Drive) -> None:
    assert drive.version == STEPS["version"]
    for folder, names in STEPS["readdir"].items():
        assert drive.list(folder) == sorted(names)
    for path, expected in STEPS["stat"].items():
        stat = drive.stat(path)
        assert {
            "size": stat.size,
            "blocks": stat.blocks,
            "offset": stat.offset,
            "byteOffset": stat.byte_offset,
            "mode": stat.mode,
            "mtime": stat.mtime_ms,
        } == expected


def test_every_version_of_every_file_reads_as_it_was_written(drive: Drive) -> None:
    there: dict[str, bytes | None] = {}
    for step, data in zip(STEPS["steps"], contents(), strict=True):
        if step["op"] == "writeFile":
            there[step["name"]] = data
        elif step["op"] == "unlink":
            there[step["name"]] = None
        for path, expected in there.items():
            if expected is None:
                with pytest.raises(NotInDriveError):
                    drive.read(path, step["version"])
            else:
                assert drive.read(path, step["version"]) == expected


def test_history_names_every_change(drive: Drive) -> None:
    kinds = {"writeFile": "file", "mkdir": "folder", "unlink": "deleted", "rmdir": "deleted"}
    assert [(item.version, item.path, item.kind) for item in drive.history()] == [
        (step["version"], step["name"], kinds[step["op"]]) for step in STEPS["steps"]
    ]
