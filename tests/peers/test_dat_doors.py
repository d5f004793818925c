"""How commands find a backend, and how nobody finds one that is not to be found."""

from __future__ import annotations

from pathlib import Path

from network import Network
from program import Program

SCRIPT = "exports.echo = value => value"
LOG = r"Call log: (dat://\w{64})\n"
SHARING = r"sharing with the Dat network on port (\d+)"


def serve(network: Network, place: Path, *options: str, port: int = 5555) -> Program:
    place.mkdir(exist_ok=True)
    (place / "backend.js").write_text(SCRIPT)
    script, kept = str(place / "backend.js"), str(place / "backend")
    return network.nodevms("exec", script, "--dir", kept, "-p", str(port), *options)


def listening(network: Network) -> set[int]:
    """The TCP and UDP ports that programs in the network have open."""
    program = network.python(
        "-c",
        "for name in ('tcp', 'tcp6', 'udp', 'udp6'):\n"
        "    for line in open(f'/proc/self/net/{name}').readlines()[1:]:\n"
        "        fields = line.split()\n"
        "        if fields[3] in ('0A', '07'): print(int(fields[1].rpartition(':')[2], 16))\n",
        name="ports",
    )
    program.wait()
    return {int(line) for line in program.output().split()}


def test_the_dht_alone_leads_to_a_backend(network: Network, tmp_path: Path) -> None:
    nodes = network.node("mainline_nodes.js")
    bootstrap = f"127.0.0.1:{nodes.wait_until('its port', nodes.documents)[0]['port']}"
    dht = ("--dht", "--bootstrap", bootstrap)
    host = serve(network, tmp_path, *dht)
    log = host.wait_for(LOG).group(1)
    host.wait_for(SHARING)
    program = network.nodevms("verify", log, "--no-swarm", *dht, "--json")
    program.wait()
    document = program.documents()[-1]
    assert (document["verdict"], document["source"]) == ("verified", "dat")


def test_without_the_swarm_nothing_is_open_but_the_server(network: Network, tmp_path: Path) -> None:
    host = serve(network, tmp_path, "--no-swarm")
    log = host.wait_for(LOG).group(1)
    network.nodevms("call", "localhost:5555", "echo", "1").wait()
    assert listening(network) == {5555}
    program = network.nodevms("log", log, "--timeout", "1")
    program.wait(exit_code=3)
    assert "nobody was found" in program.errors()
    assert "sharing" not in host.errors()


def test_a_taken_port_is_no_reason_not_to_share(network: Network, tmp_path: Path) -> None:
    first = serve(network, tmp_path / "first")
    assert first.wait_for(SHARING).group(1) == "3282"
    second = serve(network, tmp_path / "second", port=5556)
    port = second.wait_for(SHARING).group(1)
    assert port != "3282"
    program = network.nodevms(
        "verify", second.wait_for(LOG).group(1), "--no-swarm", "--peer", f"localhost:{port}"
    )
    program.wait()
    for host in (first, second):
        host.stop()
        assert "Traceback" not in host.errors()


def test_a_log_of_the_2017_program_is_printed_and_not_called_false(network: Network) -> None:
    entries = '{"json": true, "count": 3, "size": 40}'
    server = network.node("hypercore_serve.js", "-", "0", entries)
    ready = server.wait_event("ready")
    url, peer = f"dat://{ready['key']}", ("--no-swarm", "--peer", f"localhost:{ready['port']}")
    program = network.nodevms("log", url, "--json", *peer)
    program.wait()
    assert [line["seq"] for line in program.documents()] == [0, 1, 2]
    verify = network.nodevms("verify", url, *peer, "--json")
    verify.wait(exit_code=3)
    assert verify.documents()[-1]["code"] == "unknown-format"


def test_only_the_entries_that_are_printed_are_fetched(network: Network) -> None:
    entries = '{"json": true, "count": 10000, "size": 300, "uploads": true}'
    server = network.node("hypercore_serve.js", "-", "0", entries)
    ready = server.wait_event("ready")
    peer = ("--no-swarm", "--peer", f"localhost:{ready['port']}")
    program = network.nodevms("log", f"dat://{ready['key']}", "--last", "2", "--json", *peer)
    program.wait()
    assert [line["seq"] for line in program.documents()] == [9998, 9999]
    sent = {event["index"] for event in server.documents("uploaded")}
    assert sent <= {0, 9998, 9999}
