"""A backend that is found through the DHT alone, by the commands that its users know."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import in_process
from network import Network

SCRIPT = """
exports.write = async () => { await System.files.writeFile('/hello.txt', 'world') }
"""


def test_a_backend_is_found_through_the_dht_alone(network: Network, tmp_path: Path) -> None:
    bootstrap = network.node("mainline_nodes.js").wait_for(r'"port":(\d+)').group(1)
    dht = ("--dht", "--bootstrap", f"127.0.0.1:{bootstrap}")
    (tmp_path / "backend.js").write_text(SCRIPT)
    directory = str(tmp_path / "backend")
    host = network.nodevms("exec", str(tmp_path / "backend.js"), "--dir", directory, *dht)
    urls = host.wait_for(r"Files: +(dat://\w{64})\nCall log: (dat://\w{64})")
    network.nodevms("call", "localhost:5555", "write").wait()

    def published() -> bool:
        done = in_process("verify", directory, "--json", "--no-memory")
        return bool(json.loads(done.stdout).get("publishedEntries") == 2)

    host.wait_until("publication", published)
    network.nodevms("verify", urls.group(2), "--no-swarm", "--no-memory", *dht).wait()
    clone = network.nodevms("clone", urls.group(1), str(tmp_path / "clone"), "--no-swarm", *dht)
    clone.wait()
    assert (tmp_path / "clone" / "hello.txt").read_text() == "world"
