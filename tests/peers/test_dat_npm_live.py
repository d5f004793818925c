"""npm's hypercore 6 and hyperdrive 9, and the ``dat`` programs, with our commands, as users run them."""

from __future__ import annotations

import base64
import shutil
import signal
from pathlib import Path

from command_line import example
from folders import contents
from network import Network
from program import Program

FILES = {"a.txt": b"a\n", "empty": b"", "folder/ü.bin": bytes(range(256)) * 1000}
DAT = r"dat://([0-9a-f]{64})"


def serve(network: Network, directory: Path, *options: str) -> Program:
    script = example("persistent-counter.js")
    return network.nodevms("exec", script, "--dir", str(directory), *options)


def keys(host: Program) -> tuple[str, str]:
    """Wait until a backend is served and shared; return its files' key and its log's."""
    found = host.wait_for(rf"Files: +{DAT}\nCall log: {DAT}")
    host.wait_until("network", lambda: "sharing with the Dat network" in host.errors())
    return found.group(1), found.group(2)


def increment(network: Network, port: int = 5555, *, wait: bool = True) -> Program:
    call = network.nodevms("call", f"localhost:{port}", "increment")
    if wait:
        call.wait()
    return call


def source(place: Path) -> Path:
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def test_npm_follows_a_backend_the_way_of_2017(network: Network, tmp_path: Path) -> None:
    """A plain hypercore with JSON values, and a hyperdrive, on the port that Dat always had."""
    files, log = keys(serve(network, tmp_path / "backend"))
    json_values = '{"json": true, "live": true, "stream": true}'
    entries = network.node("hypercore_fetch.js", log, "-", "127.0.0.1:3282", json_values)
    target = tmp_path / "target"
    drive = network.node(
        "hyperdrive_fetch.js", files, "-", str(target), "127.0.0.1:3282", '{"live": true}'
    )
    for count in (1, 2):
        increment(network)
        entry = entries.wait_event("value", seq=count)["value"]
        assert entry["call"]["methodName"] == "increment"
        assert entry["result"]["res"] == count
        drive.wait_until("the counter", lambda count=count: counter(target) == b"%d" % count)


def counter(target: Path) -> bytes:
    path = target / "counter"
    return path.read_bytes() if path.exists() else b""


def test_we_clone_what_npm_and_dat_share(network: Network, tmp_path: Path) -> None:
    share = source(tmp_path / "source")
    drive = network.node("hyperdrive_serve.js", "-", str(share), "0")
    links = {}
    for version in (13, 14):
        shared = source(tmp_path / f"shared{version}")
        sharer = network.dat(version, "share", "--no-watch", cwd=shared)
        links[f"dat {version}"] = sharer.wait_for(DAT).group()
        sharer.wait_for("metadata updated")
    ready = drive.wait_event("ready")
    clones = {
        name: network.nodevms("clone", link, str(tmp_path / name)) for name, link in links.items()
    }
    link, peer = f"dat://{ready['key']}", f"127.0.0.1:{ready['port']}"
    live = ("--live", "--no-swarm", "--peer", peer, "--json")
    following = network.nodevms("clone", link, str(tmp_path / "live"), *live)
    for name, clone in clones.items():
        clone.wait()
        assert contents(tmp_path / name) == FILES
    following.wait_until("all files", lambda: contents(tmp_path / "live") == FILES)
    drive.tell({"remove": "/a.txt"})
    drive.tell({"write": "/folder/new", "data": base64.b64encode(b"new").decode()})
    drive.tell({"write": "/empty", "data": base64.b64encode(b"no more").decode()})
    changed = {**FILES, "folder/new": b"new", "empty": b"no more"}
    del changed["a.txt"]
    following.wait_until("the changes", lambda: contents(tmp_path / "live") == changed)
    following.process.send_signal(signal.SIGINT)
    following.wait(exit_code=None)


def test_a_backend_that_was_copied_and_goes_on_twice_is_caught(
    network: Network, tmp_path: Path
) -> None:
    """The operator shows one history to one reader, and another to the next."""
    first, second = tmp_path / "first", tmp_path / "second"
    host = serve(network, first)
    _, log = keys(host)
    increment(network)
    host.stop()
    shutil.copytree(first, second)
    hosts = [serve(network, first), serve(network, second, "-p", "5556", "--swarm-port", "3283")]
    for host in hosts:
        keys(host)
    calls = [increment(network, port, wait=False) for port in (5555, 5556, 5556)]
    for call in calls:
        call.wait()
    mirror = tmp_path / "mirror"
    command = ("mirror", f"dat://{log}", str(mirror), "--once", "--no-swarm", "--peer")
    network.nodevms(*command, "127.0.0.1:3282").wait()
    kept = (mirror / "call-log.data").read_bytes()
    caught = network.nodevms(*command, "127.0.0.1:3283")
    caught.wait(exit_code=1)
    assert "signed two histories" in caught.errors()
    assert [*mirror.glob("evidence/*.fork.json")]
    assert (mirror / "call-log.data").read_bytes() == kept
