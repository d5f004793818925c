"""Whatever a host changes in its records, the verifier proves it false and names the entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import backends as backends_made
import cheating_host as host
import pytest
from cheating_host import Honest, cheat_entry, cheat_log, copied, example

from nodevms.archive.messages import Stat
from nodevms.archive.tree_node import TreeNode, encode_node
from nodevms.audit import Expectations, Verifier
from nodevms.audit.divergence import DivergenceError
from nodevms.audit.seen import Memory
from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.feed import KeyPair
from nodevms.sandbox import Engine

Entry = dict[str, Any]

COUNTER = example("persistent-counter.js")
DICE = """
const fs = System.files
exports.init = () => fs.writeFile('/begun', String(Math.random()))
exports.roll = () => Math.random()
exports.plain = value => value
"""


@pytest.fixture(scope="module")
def verifier(engine: Engine) -> Verifier:
    return Verifier(engine)


@pytest.fixture(scope="module")
def counter(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backends_made.counter(engine, tmp_path_factory.mktemp("counter") / "backend")


@pytest.fixture(scope="module")
def photos(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backends_made.photos(engine, tmp_path_factory.mktemp("photos") / "backend")


@pytest.fixture(scope="module")
def secure(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backends_made.secure(engine, tmp_path_factory.mktemp("secure") / "backend")


@pytest.fixture(scope="module")
def dice(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Entries: init with a seed, a roll, a call without a seed."""
    honest = Honest(engine, tmp_path_factory.mktemp("dice") / "backend")
    honest.run(DICE, [("roll",), ("plain", [1])])
    return honest.directory


@pytest.fixture
def backends(counter: Path, photos: Path, secure: Path, dice: Path) -> dict[str, Path]:
    return {"counter": counter, "photos": photos, "secure": secure, "dice": dice}


def diverges(verifier: Verifier, directory: Path, seq: int, field: str | None = None) -> None:
    with pytest.raises(DivergenceError, match=rf"^entry {seq} \(") as caught:
        verifier.verify(directory)
    assert caught.value.divergence.seq == seq
    assert caught.value.exit_code == 1
    if field is not None:
        assert caught.value.divergence.field == field


def put(*path: str | int, value: object) -> Callable[[Entry], None]:
    def change(entry: Any) -> None:
        for step in path[:-1]:
            entry = entry[step]
        entry[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[Entry], None]:
    def change(entry: Any) -> None:
        for step in path[:-1]:
            entry = entry[step]
        del entry[path[-1]]

    return change


def add_empty_changes(entry: Entry) -> None:
    result = entry["result"]
    entry["result"] = {
        "res": result["res"],
        "gas": result["gas"],
        "changes": [],
        "filesVersion": result["filesVersion"],
    }


def test_the_honest_records_verify(verifier: Verifier, backends: dict[str, Path]) -> None:
    for directory in backends.values():
        report = verifier.verify(directory)
        assert report.entries == len(host.log_of(directory))
        assert not report.lag


def test_signing_the_same_again_is_no_lie(verifier: Verifier, photos: Path, tmp_path: Path) -> None:
    copy = cheat_log(photos, tmp_path / "copy", lambda blocks: blocks)
    host.cheat_contents(copy, lambda blocks: blocks)
    host.cheat_drive(copy, lambda blocks: blocks)
    assert verifier.verify(copy).entries == 4


# --- bytes on disk, without the keys


@pytest.mark.parametrize("seq", range(7))
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_changed_byte_of_the_log_names_its_entry(
    verifier: Verifier, counter: Path, tmp_path: Path, seq: int, where: str
) -> None:
    copy = copied(counter, tmp_path / "copy")
    sizes = [len(block) for block in host.blocks_of(copy, "call-log.")]
    start = sum(sizes[:seq])
    offset = start + {"first": 0, "middle": sizes[seq] // 2, "last": sizes[seq] - 1}[where]
    host.flip(copy / "call-log.data", offset)
    with pytest.raises(ProvedFalseError, match=rf"entry {seq}\b"):
        verifier.verify(copy)


@pytest.mark.parametrize(
    "file",
    [
        "call-log.tree",
        "call-log.signatures",
        "call-log.key",
        "files/metadata/data",
        "files/metadata/signatures",
        "files/content/data",
        "files/content/tree",
    ],
)
def test_a_changed_byte_anywhere_is_noticed(
    verifier: Verifier, counter: Path, tmp_path: Path, file: str
) -> None:
    copy = copied(counter, tmp_path / "copy")
    # The last node of a tree begins 40 bytes before its end, with its hash.
    host.flip(copy / file, (copy / file).stat().st_size - (40 if file.endswith("tree") else 1))
    with pytest.raises(ProvedFalseError):
        verifier.verify(copy)


# --- signed again


@pytest.mark.parametrize(
    ("backend", "seq", "change", "field"),
    [
        ("counter", 2, put("result", "res", value=7), "result"),
        ("counter", 2, drop("result", "res"), "result"),
        ("counter", 5, put("result", "res", value=5), "result"),
        ("photos", 3, put("result", "err", "message", value="No"), "error"),
        ("counter", 1, put("call", "args", value=[1]), None),
        ("photos", 1, put("call", "args", value=["c.txt", "first"]), "changes of /photos/c.txt"),
        ("photos", 2, put("call", "args", value=["b.txt", "sEcond"]), "changes of /photos/b.txt"),
        ("dice", 2, put("call", "args", value=[2]), "result"),
        ("dice", 2, put("call", "args", value={"0": 1}), "args"),
        ("counter", 2, put("call", "methodName", value="decrement"), "methodName"),
        ("counter", 2, put("call", "methodName", value="__proto__"), "methodName"),
        ("counter", 3, put("result", "gas", value=1), "gas"),
        ("counter", 4, put("result", "gas", value=1), "gas"),
        (
            "counter",
            3,
            put("result", "changes", 0, "sha256", value="0" * 64),
            "changes of /counter",
        ),
        ("counter", 3, put("result", "changes", 0, "size", value=2), "changes of /counter"),
        ("counter", 3, put("result", "changes", 0, "block", value=0), "content"),
        ("counter", 3, put("result", "changes", 0, "block", value=10**6), "content"),
        ("counter", 3, put("result", "changes", 0, "block", value=2**53 - 1), "content"),
        (
            "counter",
            3,
            drop(
                "result",
                "changes",
            ),
            "changes of /counter",
        ),
        ("dice", 2, add_empty_changes, "changes"),
        ("counter", 3, put("result", "filesVersion", value=9), "filesVersion"),
        ("counter", 3, put("result", "filesRoot", value="0" * 64), "filesRoot"),
        ("counter", 3, drop("result", "filesRoot"), "filesRoot"),
        ("secure", 2, put("call", "userId", value="alice"), None),
        ("secure", 2, put("call", "userId", value=None), None),
        ("secure", 3, put("call", "userId", value="bob"), None),
        ("secure", 1, put("call", "userId", value="a" * 64), "userId"),
        ("counter", 2, put("call", "userId", value="bob"), "userId"),
        ("counter", 2, put("call", "time", value=host.START_MS - 1), "time"),
        ("counter", 5, put("call", "time", value=0), "time"),
        ("counter", 4, put("time", value=host.START_MS), "time"),
        ("dice", 1, put("call", "seed", value="0" * 16), "result"),
        ("dice", 0, put("seed", value="0" * 16), None),
        ("dice", 1, put("call", "seed", value="0" * 15), "seed"),
        ("dice", 1, put("call", "seed", value="A" * 16), "seed"),
        ("dice", 1, drop("call", "seed"), "seed"),
        ("counter", 0, put("filesArchiveUrl", value="dat://" + "0" * 64), "filesArchiveUrl"),
        ("counter", 0, put("contentKey", value="0" * 64), "contentKey"),
        ("counter", 0, put("code", value="exports.other = 1"), None),
        ("counter", 0, put("code", value="throw 1"), "result"),
    ],
)
def test_a_changed_entry_is_proved_false(
    verifier: Verifier,
    backends: dict[str, Path],
    tmp_path: Path,
    backend: str,
    seq: int,
    change: Callable[[Entry], None],
    field: str | None,
) -> None:
    diverges(verifier, cheat_entry(backends[backend], tmp_path / "copy", seq, change), seq, field)


def test_a_seed_that_the_call_did_not_ask_for_is_proved_false(
    verifier: Verifier, dice: Path, tmp_path: Path
) -> None:
    copy = cheat_entry(dice, tmp_path / "copy", 2, put("call", "seed", value="0" * 16))
    diverges(verifier, copy, 2, "seed")


def test_another_owner_shows_at_the_first_call_that_it_decides(
    verifier: Verifier, secure: Path, tmp_path: Path
) -> None:
    copy = cheat_entry(secure, tmp_path / "copy", 1, put("call", "userId", value="eve"))
    diverges(verifier, copy, 2)


def test_a_changed_script_is_proved_false(
    verifier: Verifier, counter: Path, tmp_path: Path
) -> None:
    code = COUNTER.replace("i++", "i+=2")
    copy = cheat_entry(counter, tmp_path / "copy", 0, put("code", value=code))
    with pytest.raises(DivergenceError) as caught:
        verifier.verify(copy)
    assert caught.value.divergence.seq in {0, 1}


@pytest.mark.parametrize("seq", [1, 2, 3, 5])
def test_a_removed_entry_is_proved_false(
    verifier: Verifier, counter: Path, tmp_path: Path, seq: int
) -> None:
    copy = cheat_log(counter, tmp_path / "copy", lambda b: [*b[:seq], *b[seq + 1 :]])
    diverges(verifier, copy, seq)


def test_a_removed_last_entry_contradicts_what_was_published(
    verifier: Verifier, counter: Path, tmp_path: Path
) -> None:
    copy = cheat_log(counter, tmp_path / "copy", lambda b: b[:-1])
    with pytest.raises(ProvedFalseError) as caught:
        verifier.verify(copy)
    assert caught.value.code == "publication-ahead"
    with pytest.raises(CouldNotCheckError) as behind:  # somebody else may just not have it
        verifier.verify(copy, Expectations(from_others=True))
    assert behind.value.code == "behind"


def test_a_removed_first_entry_is_proved_false(
    verifier: Verifier, counter: Path, tmp_path: Path
) -> None:
    diverges(verifier, cheat_log(counter, tmp_path / "copy", lambda b: b[1:]), 0, "type")


@pytest.mark.parametrize("seq", [2, 3, 6, 7])
def test_an_added_entry_is_proved_false(
    verifier: Verifier, counter: Path, tmp_path: Path, seq: int
) -> None:
    copy = cheat_log(counter, tmp_path / "copy", lambda b: [*b[:seq], b[seq - 1], *b[seq:]])
    diverges(verifier, copy, seq)


def test_a_second_init_is_proved_false(verifier: Verifier, counter: Path, tmp_path: Path) -> None:
    def add(blocks: list[bytes]) -> list[bytes]:
        init = json.loads(blocks[0])
        init["time"] = json.loads(blocks[-1])["call"]["time"]
        return [*blocks, host.spelled(init)]

    diverges(verifier, cheat_log(counter, tmp_path / "copy", add), 7, "type")


def test_two_entries_that_changed_places_are_proved_false(
    verifier: Verifier, counter: Path, tmp_path: Path
) -> None:
    copy = cheat_log(counter, tmp_path / "copy", lambda b: [*b[:1], b[2], b[1], *b[3:]])
    diverges(verifier, copy, 1)


@pytest.mark.parametrize(
    "respell",
    [
        lambda block: block.replace(b",", b", ", 1),
        lambda block: block.replace(b'"args":[]', b'"args":[ ]'),
        lambda block: block.replace(b"increment", b"incr\\u0065ment"),
        lambda block: block.replace(b'"userId":null,', b""),
        lambda block: block.replace(b'"userId":null', b'"userId":null,"userId":null'),
        lambda block: block.replace(b'"userId"', b'"admin":true,"userId"'),
        lambda block: block.replace(b'{"type"', b'{"note":1,"type"'),
        lambda block: block.rstrip(b"\n"),
        lambda block: block + b"\n",
        lambda _: b"",
        lambda _: b"\n",
        lambda _: b"[" * 100_000,
        lambda _: b"\xff\xfe\n",
        lambda block: b"\xef\xbb\xbf" + block,
        lambda block: block.replace(b'"block":', b'"block":-'),
        lambda block: block.replace(b'"time":', b'"time":1000000000000'),
    ],
)
def test_an_entry_has_one_spelling(
    verifier: Verifier, counter: Path, tmp_path: Path, respell: Callable[[bytes], bytes]
) -> None:
    def change(blocks: list[bytes]) -> list[bytes]:
        assert respell(blocks[2]) != blocks[2]
        return [*blocks[:2], respell(blocks[2]), *blocks[3:]]

    copy = cheat_log(counter, tmp_path / "copy", change)
    with pytest.raises(ProvedFalseError, match=r"^entry 2: ") as caught:
        verifier.verify(copy)
    assert caught.value.code == "malformed-entry"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put("v", value=2), "unknown-format"),
        (put("engine", value="sha256:" + "0" * 64), "unknown-engine"),
        (put("hostApi", value=2), "unknown-engine"),
        (put("limits", "gas", value=10**15), "ceiling"),
        (put("limits", "timers", value=0), "ceiling"),
    ],
)
def test_what_this_release_cannot_replay_is_not_called_false(
    verifier: Verifier,
    counter: Path,
    tmp_path: Path,
    change: Callable[[Entry], None],
    code: str,
) -> None:
    with pytest.raises(CouldNotCheckError) as caught:
        verifier.verify(cheat_entry(counter, tmp_path / "copy", 0, change))
    assert caught.value.code == code


# --- files


def test_a_changed_file_is_proved_false(verifier: Verifier, photos: Path, tmp_path: Path) -> None:
    copy = copied(photos, tmp_path / "copy")
    host.cheat_contents(copy, lambda b: [block.replace(b"second", b"SECOND") for block in b])
    diverges(verifier, copy, 2, "content")


def test_a_file_changed_in_the_log_as_well_is_proved_false(
    verifier: Verifier, photos: Path, tmp_path: Path
) -> None:
    def claim(entry: Entry) -> None:
        change = next(item for item in entry["result"]["changes"] if item["kind"] == "file")
        change["sha256"] = sha256(b"SECOND").hexdigest()

    copy = cheat_entry(photos, tmp_path / "copy", 2, claim)
    host.cheat_contents(copy, lambda b: [block.replace(b"second", b"SECOND") for block in b])
    diverges(verifier, copy, 2, "changes of /photos/b.txt")


def test_contents_that_are_gone_are_proved_false(
    verifier: Verifier, photos: Path, tmp_path: Path
) -> None:
    copy = copied(photos, tmp_path / "copy")
    host.cheat_contents(copy, lambda b: b[:1])
    with pytest.raises(ProvedFalseError):
        verifier.verify(copy)
    with pytest.raises(CouldNotCheckError) as behind:  # somebody else may just not have them
        verifier.verify(copy, Expectations(from_others=True))
    assert behind.value.code == "behind"


def test_a_published_drive_that_says_otherwise_is_proved_false(
    verifier: Verifier, photos: Path, tmp_path: Path
) -> None:
    def resize(blocks: list[bytes]) -> list[bytes]:
        for seq, block in enumerate(blocks[1:], 1):
            node = TreeNode.decode(seq, block)
            if node.path == "/photos/a.txt" and node.value is not None:
                value = replace(Stat.decode(node.value, seq=seq), mtime_ms=1).encode()
                lists = [node.siblings(depth) for depth in range(len(node.names) + 1)]
                changed = encode_node(seq, node.names, value, lists, node.marker)
                assert changed != block
                return [*blocks[:seq], changed, *blocks[seq + 1 :]]
        raise AssertionError("the photo was not published")

    copy = copied(photos, tmp_path / "copy")
    host.cheat_drive(copy, resize)
    with pytest.raises(ProvedFalseError, match=r"/photos/a\.txt"):
        verifier.verify(copy)


def test_a_published_drive_with_nodes_left_out_is_proved_false(
    verifier: Verifier, photos: Path, tmp_path: Path
) -> None:
    copy = copied(photos, tmp_path / "copy")
    host.cheat_drive(copy, lambda blocks: [blocks[0], *blocks[2:]])
    with pytest.raises(ProvedFalseError):
        verifier.verify(copy)


def test_a_drives_header_with_more_in_it_is_proved_false(
    verifier: Verifier, photos: Path, tmp_path: Path
) -> None:
    copy = copied(photos, tmp_path / "copy")
    host.cheat_drive(copy, lambda blocks: [blocks[0] + b"\x1a\x01x", *blocks[1:]])
    with pytest.raises(ProvedFalseError) as caught:
        verifier.verify(copy)
    assert caught.value.code == "bad-drive"


# --- what the reader expects, and what the reader saw before


@pytest.mark.parametrize("name", ["log_key", "files_key"])
def test_other_keys_than_expected_are_proved_false(
    verifier: Verifier, counter: Path, name: str
) -> None:
    report = verifier.verify(counter)
    right = {"log_key": report.log_key, "files_key": report.files_key}
    verifier.verify(counter, Expectations(**right))
    right[name] = KeyPair.from_seed(bytes(32)).public
    with pytest.raises(ProvedFalseError) as caught:
        verifier.verify(counter, Expectations(**right))
    assert caught.value.code == "other-key"


def test_a_log_that_grew_is_the_same_log(engine: Engine, tmp_path: Path) -> None:
    verifier = Verifier(engine, memory=Memory(tmp_path / "state"))
    honest = Honest(engine, tmp_path / "backend").run(COUNTER, [("increment",)] * 2)
    assert verifier.verify(honest.directory).seen_before == 0
    assert verifier.verify(honest.directory).seen_before == 3
    honest.run(COUNTER, [("increment",)])
    assert verifier.verify(honest.directory).seen_before == 3
    assert verifier.verify(honest.directory).seen_before == 5


def test_a_shortened_log_is_proved_false(engine: Engine, tmp_path: Path) -> None:
    verifier = Verifier(engine, memory=Memory(tmp_path / "state"))
    honest = Honest(engine, tmp_path / "backend").run(COUNTER, [("increment",)] * 2)
    older = honest.copy(tmp_path / "older")
    honest.run(COUNTER, [("increment",)])
    verifier.verify(honest.directory)
    with pytest.raises(ProvedFalseError, match="entry 3 is missing") as caught:
        verifier.verify(older)
    assert caught.value.code == "log-shortened"
    report = verifier.verify(older, Expectations(allow_older=True))
    assert (report.entries, report.seen_before) == (3, 3)
    with pytest.raises(ProvedFalseError) as caught:  # what was seen stays seen
        verifier.verify(older)
    assert caught.value.code == "log-shortened"


@pytest.mark.parametrize("calls", [1, 2, 5])
@pytest.mark.parametrize("allow_older", [False, True])
def test_a_rewritten_log_is_proved_false(
    engine: Engine, tmp_path: Path, calls: int, allow_older: bool
) -> None:
    verifier = Verifier(engine, memory=Memory(tmp_path / "state"))
    honest = Honest(engine, tmp_path / "backend").run(COUNTER, [("increment",)])
    other = Honest(engine, honest.copy(tmp_path / "other"))
    honest.run(COUNTER, [("increment",)] * 2, start_ms=host.START_MS + 10**7)
    other.run(COUNTER, [("increment",)] * calls, start_ms=host.START_MS + 10**8)
    verifier.verify(honest.directory)
    Verifier(engine).verify(other.directory)  # by itself it is without fault
    with pytest.raises(ProvedFalseError, match="entry 2 is not the one") as caught:
        verifier.verify(other.directory, Expectations(allow_older=allow_older))
    assert caught.value.code == "log-rewritten"
    verifier.verify(honest.directory)


def test_a_lie_is_not_remembered(engine: Engine, counter: Path, tmp_path: Path) -> None:
    verifier = Verifier(engine, memory=Memory(tmp_path / "state"))
    change = put("result", "res", value=7)
    lie = cheat_entry(counter, tmp_path / "copy", 6, change)
    diverges(verifier, lie, 6, "result")
    assert verifier.verify(counter).seen_before == 0
