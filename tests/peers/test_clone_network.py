"""A clone of ours beside the ``dat`` program: it goes on in our folder, we in what it left."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from folders import contents
from network import Network

DAT = r"dat://[0-9a-f]{64}"


def test_dat_goes_on_in_our_folder_and_we_in_its(network: Network, tmp_path: Path) -> None:
    shared, ours = tmp_path / "shared", tmp_path / "ours"
    (shared / "sub").mkdir(parents=True)
    (shared / "big").write_bytes(bytes(range(256)) * 1000)
    (shared / "sub" / "a").write_bytes(b"first")
    (shared / "gone").write_bytes(b"soon")
    sharer = network.dat(13, "share", cwd=shared)
    url = sharer.wait_for(DAT).group()
    sharer.wait_for("Watching for file updates")
    network.nodevms("clone", url, str(ours)).wait()
    assert contents(ours) == contents(shared)

    syncing = network.dat(13, "sync", cwd=ours)
    syncing.wait_for("waiting for updates")
    (shared / "sub" / "a").write_bytes(b"second")
    (shared / "new").write_bytes(b"new")
    (shared / "gone").unlink()
    syncing.wait_until("the changes", lambda: contents(ours) == contents(shared))
    syncing.kill()

    done = network.nodevms("clone", url, str(ours), "--json")
    done.wait()
    assert json.loads(done.output())["kept"] == {}  # what dat wrote is what we would write
    live = network.nodevms("clone", url, str(ours), "--live")
    live.wait_for("has version")
    (shared / "sub" / "a").write_bytes(b"the third")
    (shared / "new").unlink()
    live.wait_until("the last changes", lambda: contents(ours) == contents(shared))
    live.process.send_signal(signal.SIGINT)
    live.wait()


def test_a_clone_serves_on_what_it_has(network: Network, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "sub").mkdir(parents=True)
    (shared / "big").write_bytes(bytes(range(256)) * 1000)
    (shared / "sub" / "a").write_bytes(b"first")
    sharer = network.dat(13, "share", "--no-watch", cwd=shared)
    url = sharer.wait_for(DAT).group()
    sharer.wait_for("metadata updated")
    live = network.nodevms("clone", url, str(tmp_path / "live"), "--live", "--json")
    live.wait_for('"verdict": "done"')
    sharer.kill()
    network.nodevms("clone", url, str(tmp_path / "second")).wait()
    assert contents(tmp_path / "second") == contents(shared)
    # What somebody changed there is not what the feed has, and is not served as if it were.
    (tmp_path / "live" / "sub" / "a").write_bytes(b"other")
    third = network.nodevms("clone", url, str(tmp_path / "third"), "--timeout", "3")
    third.wait(exit_code=3)
    assert contents(tmp_path / "third") == {"big": (shared / "big").read_bytes()}
    live.process.send_signal(signal.SIGINT)
    live.wait()
