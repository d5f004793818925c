"""``call --save`` and ``verify --answer``: from a server to a verdict, over files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cheating_host import copied, example
from click.testing import CliRunner, Result
from dishonest_site import Site

from nodevms.cli import main

sys.path.append(str(Path(__file__).parents[1] / "unit" / "cli"))
from served import Serving, serving

GUESTBOOK = example("guestbook.js")


@pytest.fixture
def guestbook(place: Path) -> Iterator[Serving]:
    with serving() as server:
        server.start_script(place / "b", GUESTBOOK)
        yield server


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="nodevms")


def verdict(*arguments: object) -> dict[str, Any]:
    done = run("verify", *arguments, "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == {"verified": 0, "proved-false": 1, "usage": 2}.get(
        document["verdict"], 3
    )
    return dict(document)


def test_an_answer_is_kept_and_verified_everywhere(place: Path, guestbook: Serving) -> None:
    address = guestbook.address
    for name in ("ann", "bob"):
        assert run("call", address, "sign", name).exit_code == 0
    kept = run("call", address, "size", "--save", "size.json")
    assert (kept.exit_code, kept.stdout) == (0, "2\n")
    document = json.loads(Path("size.json").read_text())
    assert document["call"] == {"userId": None, "methodName": "size", "args": []}
    assert (document["result"], document["readonly"]["head"]["length"]) == (2, 3)
    told = json.loads(run("call", address, "newest", "1", "--save", "new.json", "--json").stdout)
    assert told.keys() == {"result", "epoch", "readonly"}
    assert run("call", address, "sign", "eve").stdout == "3\n"
    files = ("--answer", "size.json", "--answer", "new.json")
    for target in (address, "b", copied(Path("b"), Path("copy"))):
        shown = run("verify", target, *files)
        assert shown.exit_code == 0, shown.stderr
        assert "✔Answer verified: size(), computed at 3 entries.\n" in shown.stdout
        assert "✔Answer verified: newest(1), computed at 3 entries.\n" in shown.stdout
    assert verdict("b", *files)["answers"] == [
        {"file": "size.json", "method": "size", "length": 3},
        {"file": "new.json", "method": "newest", "length": 3},
    ]
    with Site(place / "b") as site:
        assert verdict(site.address, *files)["verdict"] == "verified"


def test_a_changed_answer_is_false(place: Path, guestbook: Serving) -> None:
    run("call", guestbook.address, "size", "--save", "a.json")
    text = Path("a.json").read_text()
    Path("a.json").write_text(text.replace('"result":0', '"result":1'))
    found = verdict(guestbook.address, "--answer", "a.json")
    assert found["code"] == "answer-differs"
    assert (found["call"], found["field"], found["expected"], found["found"]) == (
        "size()",
        "result",
        "0",
        "1",
    )
    shown = run("verify", "b", "--answer", "a.json")
    assert shown.exit_code == 1
    assert "the answer in a.json (size(), computed at 1 entries): result differs" in shown.stderr
    signature = json.loads(text)["readonly"]["head"]["signature"]
    Path("a.json").write_text(text.replace(signature, "00" * 64))
    # Before any server is asked: nobody listens there.
    assert verdict("localhost:1", "--answer", "a.json")["code"] == "answer-head"


def test_errors_are_answers_too(place: Path) -> None:
    code = """exports.fail = System.readonly(() => { throw new RangeError('no') })
exports.write = System.readonly(() => System.files.writeFile('/a', ''))"""
    with serving() as server:
        server.start_script(place / "b", code)
        for method, said in (("fail", "RangeError: no"), ("write", "ReadOnlyError")):
            done = run("call", server.address, method, "--save", f"{method}.json")
            assert done.exit_code == 1
            assert said in done.stderr
            assert "computed at 1 entries" in done.stderr
            told = json.loads(run("call", server.address, method, "--json").stdout)
            assert told["readonly"]["head"]["length"] == 1
    answers = ("--answer", "fail.json", "--answer", "write.json")
    assert verdict("b", *answers)["verdict"] == "verified"


def test_what_cannot_be_kept_is_not_called(place: Path, guestbook: Serving) -> None:
    done = run("call", guestbook.address, "sign", "ann", "--save", "a.json")
    assert done.exit_code == 2
    assert "no read-only method" in done.stderr
    assert not Path("a.json").exists()
    assert run("call", guestbook.address, "size").stdout == "0\n"
    done = run("call", guestbook.address, "size", "--save", "none/a.json")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_a_file_that_is_no_answer_is_a_mistake(place: Path, guestbook: Serving) -> None:
    Path("bad.json").write_text("{}")
    Path("folder").mkdir()
    for name in ("bad.json", "missing.json", "folder"):
        found = verdict("b", "--answer", name)
        assert (found["verdict"], found["code"]) == ("usage", "answer")
        assert name in found["message"]


def test_the_answer_of_another_backend_is_a_mistake(place: Path, guestbook: Serving) -> None:
    run("call", guestbook.address, "size", "--save", "a.json")
    with serving() as other:
        other.start_script(place / "other", GUESTBOOK)
        assert verdict(other.address, "--answer", "a.json")["code"] == "answer-other"


def test_info_names_the_read_only_methods(place: Path, guestbook: Serving) -> None:
    for target in (guestbook.address, "b"):
        assert json.loads(run("info", target, "--json").stdout)["readonly"] == ["newest", "size"]
        lines = run("info", target).stdout.splitlines()
        assert lines[1:4] == [
            "Methods:  sign(name)",
            "          newest(count) read-only",
            "          size() read-only",
        ]
