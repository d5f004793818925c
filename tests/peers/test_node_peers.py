"""The programs that the other tests use as peers do what they say, with one another."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from folders import contents
from network import Network

FILES = {"a.txt": b"a\n", "empty": b"", "folder/big.bin": bytes(range(256)) * 1000}


def blocks(count: int, size: int) -> list[bytes]:
    texts = [b"block %d." % i for i in range(count)]
    return [text + bytes([i % 251]) * (size - len(text)) for i, text in enumerate(texts)]


@pytest.mark.parametrize("listener", ["server", "client"])
def test_hypercore_serves_and_fetches(network: Network, listener: str, tmp_path: Path) -> None:
    options = '{"count": 50, "size": 1000, "live": false}'
    whole = hashlib.sha256(b"".join(blocks(50, 1000))).hexdigest()
    if listener == "server":
        server = network.node("hypercore_serve.js", str(tmp_path / "feed"), "0", options)
        ready = server.wait_event("ready")
        client = network.node("hypercore_fetch.js", ready["key"], "-", f"127.0.0.1:{ready['port']}")
        assert client.wait_event("synced")["sha256"] == whole
        client.wait()  # neither is live: it ends by itself
        assert server.wait_event("disconnected")["error"] is None
    else:
        seed = '{"count": 50, "size": 1000, "seed": "%s"}' % ("07" * 32)
        first = network.node("hypercore_serve.js", str(tmp_path / "feed"), "0", seed)
        key = first.wait_event("ready")["key"]
        first.stop()
        client = network.node("hypercore_fetch.js", key, "-", "0", '{"live": true}')
        port = client.wait_event("ready")["port"]
        server = network.node("hypercore_serve.js", str(tmp_path / "feed"), f"127.0.0.1:{port}")
        assert client.wait_event("synced")["sha256"] == whole
        server.tell({"count": 3, "size": 1000})
        more = hashlib.sha256(b"".join(blocks(53, 1000))).hexdigest()
        assert client.wait_event("synced", length=53)["sha256"] == more


def test_a_json_feed_is_followed_and_read_here_and_there(network: Network) -> None:
    options = '{"json": true, "count": 5, "size": 300}'
    server = network.node("hypercore_serve.js", "-", "0", options)
    ready = server.wait_event("ready")
    assert ready["byteLength"] == 5 * 300
    address = f"127.0.0.1:{ready['port']}"
    follow = '{"json": true, "live": true, "stream": true}'
    follower = network.node("hypercore_fetch.js", ready["key"], "-", address, follow)
    reader = network.node("hypercore_fetch.js", ready["key"], "-", address, '{"sparse": true}')
    server.tell({"append": [{"hello": "you"}]})
    assert follower.wait_event("value", seq=5)["value"] == {"hello": "you"}
    reader.tell({"get": 5})
    found = base64.b64decode(reader.wait_event("block", index=5)["value"])
    assert found == b'{"hello":"you"}\n'
    assert [one["value"]["seq"] for one in follower.documents("value")[:5]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("listener", ["server", "client"])
def test_hyperdrive_serves_and_fetches(network: Network, listener: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for name, data in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    store = str(tmp_path / "drive")
    server = network.node("hyperdrive_serve.js", store, str(source), "0")
    ready = server.wait_event("ready")
    live = '{"live": true}'
    if listener == "server":
        address = f"127.0.0.1:{ready['port']}"
        client = network.node("hyperdrive_fetch.js", ready["key"], "-", str(target), address, live)
    else:
        server.stop()
        client = network.node("hyperdrive_fetch.js", ready["key"], "-", str(target), "0", live)
        port = client.wait_event("ready")["port"]
        server = network.node("hyperdrive_serve.js", store, "-", f"127.0.0.1:{port}")
    client.wait_event("synced", version=3)
    assert contents(target) == FILES

    server.tell({"remove": "/a.txt"})
    server.tell({"write": "/new", "data": base64.b64encode(b"new").decode()})
    client.wait_event("synced", version=5)
    expected = {**FILES, "new": b"new"}
    del expected["a.txt"]
    assert contents(target) == expected


def test_a_drive_that_is_not_live_ends_by_itself(network: Network, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_bytes(b"a")
    server = network.node(
        "hyperdrive_serve.js", "-", str(tmp_path / "source"), "0", '{"live": false}'
    )
    ready = server.wait_event("ready")
    target = str(tmp_path / "target")
    address = f"127.0.0.1:{ready['port']}"
    whole = '{"latest": false}'
    client = network.node("hyperdrive_fetch.js", ready["key"], "-", target, address, whole)
    client.wait()
    assert contents(tmp_path / "target") == {"a.txt": b"a"}


def test_the_liar_lies_only_as_it_is_told(network: Network, tmp_path: Path) -> None:
    feed = str(tmp_path / "feed")
    maker = network.node("hypercore_serve.js", feed, "0", '{"count": 9, "size": 100}')
    key = maker.wait_event("ready")["key"]
    maker.stop()
    liar = network.node("hypercore_liar.js", feed, "-", "-")
    ports = liar.wait_event("ready")["ports"]
    for lie, event in (("honest", "synced"), ("wrong-block", "disconnected")):
        address = f"127.0.0.1:{ports[lie]}"
        client = network.node("hypercore_fetch.js", key, "-", address, '{"live": true}')
        client.wait_event(event)
    assert "could not be verified" in client.wait_event("disconnected")["error"]
