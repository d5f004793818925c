"""`nodevms exec --allow-net`: whom oracles may ask, as the operator types it."""

from __future__ import annotations

import json
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from command_line import in_process, nodevms, serving

SCRIPT = """
exports.ask = url => System.oracle(() => fetch(url).then(r => r.json()))
"""


class Price(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"price":7}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""Key and certificate of `localhost`, signed by themselves, from 2020 to 2120."""


@pytest.fixture
def port() -> Iterator[int]:
    yield from serve(HTTPServer(("127.0.0.1", 0), Price))


@pytest.fixture
def secure_port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Price)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    yield from serve(server)


def serve(server: HTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_allowed_host_is_asked_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("price.js").write_text(SCRIPT)
    with serving("price.js", "--allow-net", f"localhost:{port}") as server:
        done = in_process("call", server.address, "ask", f"http://localhost:{port}/price")
        assert json.loads(done.stdout) == {"price": 7}
        done = in_process("call", server.address, "ask", f"http://127.0.0.1:{port}/price")
        assert done.exit_code == 1
        assert f"the operator allows no requests to 127.0.0.1:{port}" in done.stderr
        assert "--allow-net" not in done.stderr
        assert "nodevms exec --allow-net HOST or HOST:PORT lists." in server.log()
        done = in_process("verify", server.address)
        assert done.exit_code == 0
        assert "Taken on trust: 2 entries asked 2 oracles" in done.stdout
        assert f"They sent requests to localhost:{port}." in done.stdout
    with serving("price.js") as server:
        done = in_process("call", server.address, "ask", f"http://localhost:{port}/price")
        assert done.exit_code == 1
        assert "the operator allows no requests" in done.stderr


def test_https_is_for_servers_that_prove_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secure_port: int
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("price.js").write_text(SCRIPT)
    allowed = ["--allow-net", f"localhost:{secure_port}", "--allow-net", f"127.0.0.1:{secure_port}"]
    url = f"https://localhost:{secure_port}/"
    with serving("price.js", *allowed) as server:
        done = in_process("call", server.address, "ask", url)
        assert "ClientConnectorCertificateError" in done.stderr
    with serving(
        "price.js", *allowed, env={**os.environ, "SSL_CERT_FILE": str(CERTIFICATE)}
    ) as server:
        assert json.loads(in_process("call", server.address, "ask", url).stdout) == {"price": 7}
        other = url.replace("localhost", "127.0.0.1")
        done = in_process("call", server.address, "ask", other)
        assert "ClientConnectorCertificateError" in done.stderr


@pytest.mark.parametrize(
    "host",
    ["", "*", "*.", "http://example.org", "example.org/", "a b", "example.org:0", "example.org:65536",
     "example.org:x", "user@example.org", "*.*.example.org", "a.*.org", "[::1", "::1", "1.2.3", "256.1.1.1", "." * 3,
     "a" * 64 + ".org", "ex\u0000ample", "*.127.0.0.1"],
)  # fmt: skip
def test_what_is_no_host_is_wrong_usage(tmp_path: Path, host: str) -> None:
    script = tmp_path / "price.js"
    script.write_text(SCRIPT)
    if "\0" in host:
        host = host.replace("\0", "\u2028")
    done = in_process("exec", str(script), "--dir", str(tmp_path / "b"), "--allow-net", host)
    assert done.exit_code == 2
    assert "is no host that could be allowed" in done.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("listed", "allowed", "refused"),
    [
        ("Example.ORG", [("example.org", 443, "https"), ("example.org", 80, "http")], [("example.org", 8080, "http"), ("a.example.org", 80, "http")]),
        ("*.example.org", [("a.example.org", 80, "http"), ("b.a.example.org", 80, "http")], [("example.org", 80, "http"), ("evilexample.org", 80, "http"), (".example.org", 80, "http")]),
        ("example.org:8080", [("example.org", 8080, "http"), ("example.org", 8080, "https")], [("example.org", 80, "http")]),
        ("bücher.example", [("xn--bcher-kva.example", 80, "http")], [("bücher.example.evil", 80, "http")]),
        ("[0:0::1]:8080", [("::1", 8080, "http")], [("::1", 80, "http")]),
        ("10.0.0.1", [("10.0.0.1", 80, "http")], [("10.0.0.2", 80, "http")]),
    ],
)  # fmt: skip
def test_what_a_host_stands_for(
    listed: str, allowed: list[tuple[str, int, str]], refused: list[tuple[str, int, str]]
) -> None:
    from nodevms.vm.allowed_hosts import AllowedHosts

    hosts = AllowedHosts([listed])
    assert all(hosts.allows(*place) for place in allowed)
    assert not any(hosts.allows(*place) for place in refused)


def test_the_help_names_it() -> None:
    assert "--allow-net HOST[:PORT]" in nodevms("exec", "--help").stdout
