"""What verifying costs: the replay in this process, and the whole command.

    python bench/replay.py [--quick]

The replay decodes each entry, runs it and compares everything; nothing is fetched and no signature
is checked. The command starts, checks every hash and signature of three feeds, replays, and
compares the published files.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import original
from load import our_client
from servers import Server

from nodevms.archive import State, TemporaryContents
from nodevms.audit.replay import Replay
from nodevms.feed import Feed
from nodevms.sandbox import Engine
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.engine_thread import on_engine_thread

CALLS = 10_000


def main(*, quick: bool) -> None:
    """Print two lines a script."""
    calls = CALLS // 5 if quick else CALLS
    engine = Engine()
    with tempfile.TemporaryDirectory() as place:
        for script in ("counter", "persistent-counter"):
            directory = Path(place) / script
            with Server(script, directory) as server:
                our_client(server, 256, calls_max=calls)
            seconds = on_engine_thread(lambda at=directory: replay_s(engine, at))
            show(f"{script}: replay in process", calls, seconds, original.REPLAY_S[script])
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as in servers.py
            begin = time.perf_counter()
            command = [sys.executable, "-m", "nodevms.cli", "verify", str(directory)]
            subprocess.run(command, check=True, capture_output=True)
            seconds = time.perf_counter() - begin
            show(f"{script}: nodevms verify DIR", calls, seconds, original.VERIFY_S[script])


def replay_s(engine: Engine, directory: Path) -> float:
    """Return the seconds of replaying a directory's log."""
    layout = Layout(directory)
    with (
        Feed.open(layout.root, LOG_PREFIX, writable=False) as log,
        Feed.open(layout.metadata, "", writable=False) as metadata,
        Feed.open(layout.content, "", writable=False) as content,
        State.open(None) as state,
    ):
        contents = TemporaryContents(1 << 30)
        begin = time.perf_counter()
        replay = Replay(
            engine,
            state=state,
            contents=contents,
            files_key=metadata.key,
            content_key=content.key,
        )
        for seq, block in enumerate(log.get_many(0, log.length)):
            replay.add(seq, block)
            state.flush(seq + 1)
        seconds = time.perf_counter() - begin
        replay.close()
        contents.close()
    return seconds


def show(what: str, calls: int, seconds: float, original_s: float) -> None:
    """Print one line; the original's seconds are for 10,000 calls, and grow with their number."""
    old = CALLS / original_s
    print(
        f"{what:<42}{calls:>7,} calls {seconds:>6.2f} s {calls / seconds:>8,.0f} calls/s,"
        f" original {old:,.0f} ({calls / seconds / old:.1f} x)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    main(quick=parser.parse_args().quick)
