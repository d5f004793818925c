"""docs/prompt.md shows what the prompt shows."""

from __future__ import annotations

import re
from pathlib import Path

from served import Nodevms, serving

from nodevms.cli.prompt.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "prompt.md").read_text()


def test_the_examples_give_what_is_printed(tmp_path: Path, nodevms: Nodevms) -> None:
    blocks = re.findall(r"(?:^    .*\n)+", DOCUMENT, re.MULTILINE)
    shown = [
        [line[4:] for line in block.splitlines()] for block in blocks if "\n    > " in f"\n{block}"
    ]
    assert len(shown) == 3
    for block, script in zip(shown, ("counter.js", "counter.js", "photos.js"), strict=True):
        lines = block[block.index(next(line for line in block if line.startswith("> "))) :]
        typed = [line[2:] for line in lines if line.startswith("> ")]
        with serving() as server:
            server.start_script(tmp_path / script, (ROOT / "examples" / script).read_text())
            if script == "photos.js":
                typed = typed[:1] * 2
                nodevms("call", server.address, "addPhoto", "other.png", "x")
            done = nodevms("repl", server.address, input="".join(f"{line}\n" for line in typed))
        expected = [line for line in lines if not line.startswith("> ")]
        assert (done.stdout + done.stderr).splitlines() == expected


def test_every_command_of_the_prompt_is_described() -> None:
    assert set(COMMANDS) == set(re.findall(r"^\| `(\.\w+)` \|", DOCUMENT, re.MULTILINE))
