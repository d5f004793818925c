"""`fetch` in an oracle: a part of the web's, for the servers that the operator lists."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nodevms.audit import Verifier
from nodevms.sandbox import Engine
from nodevms.vm import VM, Limits
from nodevms.vm.allowed_hosts import AllowedHosts
from nodevms.vm.fetching import Fetcher
from nodevms.vm.live_oracles import World

SCRIPT = """
exports.get = (url, options) => System.oracle(async () => {
  const response = await fetch(url, options)
  return [response.status, response.ok, await response.text()]
})
exports.json = url => System.oracle(() => fetch(url).then(r => r.json()))
exports.whole = (url, options) => System.oracle(async () => {
  const response = await fetch(new URL(url), options)
  const { status, statusText, ok, redirected } = response
  const headers = {}
  response.headers.forEach((value, name) => { headers[name] = value })
  const again = [...response.headers].length === Object.keys(headers).length
  return {
    status, statusText, ok, redirected, url: response.url, headers, again,
    type: response.headers.get('Content-TYPE'), missing: response.headers.get('x-none'), has: response.headers.has('Content-Type'),
    bytes: [...new Uint8Array(await response.arrayBuffer())], used: response.bodyUsed,
    twice: await response.text().catch(String)
  }
})
exports.outside = () => fetch('http://localhost/')
exports.many = urls => System.oracle(async () => {
  const given = []
  for (const url of urls) given.push(await fetch(url).then(r => r.status, e => e.message))
  return given
})
exports.typed = () => System.oracle(() => fetch('http://localhost:1/').catch(e => [e instanceof TypeError, e.message]))
exports.form = url => System.oracle(() => fetch(url, { method: 'post', body: new URLSearchParams({ a: 'b c' }) }).then(r => r.json()))
exports.bytes = url => System.oracle(() => fetch(url, { method: 'PUT', body: new Uint8Array([0, 255, 10]), headers: new Headers([['X-A', 'é']]) }).then(r => r.json()))
"""


class Handler(BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(
            f"{self.command} {self.headers['host'].partition(':')[0]} {self.path}"
        )
        path, _, rest = self.path.partition("?")
        if path == "/echo":
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(size)
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.say(
                200,
                json.dumps(
                    {"method": self.command, "headers": headers, "body": body.decode("latin-1")}
                ).encode(),
            )
        elif path == "/to":
            status, _, place = rest.partition(",")
            self.say(int(status), b"moved", location=place)
        elif path == "/loop":
            self.say(302, b"", location="/loop")
        elif path == "/gzip":
            self.say(200, gzip.compress(b"packed"), content_encoding="gzip")
        elif path == "/bomb":
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            packed = packer.compress(bytes(64 << 20)) + packer.flush()
            self.say(200, packed, content_encoding="gzip")
        elif path == "/large":
            self.say(200, bytes(int(rest)))
        elif path == "/cookie":
            self.say(200, (self.headers.get("cookie") or "none").encode(), set_cookie="a=b")
        elif path == "/headers":
            self.say(200, b"", **{f"x_{n}": "y" * 500 for n in range(int(rest))})
        elif path == "/slow":
            self.send_response(200)
            self.send_header("content-length", "1000000")
            self.end_headers()
            self.server.slowly.set()
            while not self.server.over.wait(0.05):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
        elif path == "/drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
            while not self.server.over.wait(0.05):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
        elif path == "/broken":
            self.wfile.write(b"what is this\r\n\r\n")
            self.close_connection = True
        else:
            self.say(404, b"nothing", content_type="text/plain")

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A server on the loopback address, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.slowly = threading.Event()
        self.over = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what some tests want."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    thread.join()
    made.server_close()


class Backend:
    """A backend that looks names up in a list of ours."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine = engine
        self.directory = directory
        self.names: dict[str, list[str]] = {}
        self.looked_up: list[str] = []
        self.blocked = threading.Event()
        self.vm: VM | None = None

    def lookup(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        if host == "blocks.example":
            self.blocked.wait()
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    async def start(self, *allowed: str, limits: Limits | None = None) -> None:
        fetcher = Fetcher(AllowedHosts(allowed), self.lookup)
        self.vm = VM(SCRIPT, engine=self.engine, world=World(fetch=fetcher if allowed else None))
        await self.vm.deploy(dir=self.directory, limits=limits)

    async def ask(self, method: str, *arguments: object) -> Any:
        """Return the result, or the message of the error."""
        assert self.vm is not None
        answer = await self.vm.call(method, json.dumps(arguments).encode())
        if answer.error is not None:
            error = json.loads(answer.error)
            return error["message"]
        return json.loads(answer.result or b"null")

    def hosts(self) -> list[str] | None:
        """Return the hosts of the last entry's oracle."""
        assert self.vm is not None
        log = self.vm.call_log
        oracle = json.loads(log.block(log.length - 1))["result"]["oracles"][0]
        hosts: list[str] | None = oracle.get("hosts")
        return hosts


@pytest.fixture
async def backend(engine: Engine, tmp_path: Path) -> AsyncIterator[Backend]:
    made = Backend(engine, tmp_path / "backend")
    made.names = {"localhost": ["127.0.0.1"]}
    yield made
    made.blocked.set()
    if made.vm is not None:
        await made.vm.close()
        Verifier(engine).verify(made.directory)


async def test_an_answer(backend: Backend, server: Server) -> None:
    await backend.start(f"localhost:{server.port}")
    base = f"http://localhost:{server.port}"
    found = await backend.ask("whole", f"{base}/gzip?a=b#part", {"headers": {"X-Own": "mine"}})
    headers = found.pop("headers")
    assert headers["content-encoding"] == "gzip"
    assert found == {
        "status": 200, "statusText": "OK", "ok": True, "redirected": False, "url": f"{base}/gzip?a=b",
        "again": True, "type": None, "missing": None, "has": False, "bytes": list(b"packed"), "used": True,
        "twice": "TypeError: Body is unusable: Body has already been read",
    }  # fmt: skip
    assert await backend.ask("get", f"{base}/none") == [404, False, "nothing"]
    assert server.asked == ["GET localhost /gzip?a=b", "GET localhost /none"]
    assert backend.hosts() == [f"localhost:{server.port}"]


async def test_what_is_sent(backend: Backend, server: Server) -> None:
    await backend.start(f"localhost:{server.port}")
    url = f"http://localhost:{server.port}/echo"
    sent = await backend.ask("json", url)
    assert sent["method"] == "GET"
    assert set(sent["headers"]) == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    sent = await backend.ask("form", url)
    assert (sent["method"], sent["body"]) == ("POST", "a=b+c")
    assert sent["headers"]["content-type"] == "application/x-www-form-urlencoded;charset=UTF-8"
    sent = await backend.ask("bytes", url)
    assert (sent["method"], sent["body"]) == ("PUT", "\x00\xff\n")
    assert sent["headers"]["x-a"].encode("latin-1").decode() == "é"
    status, _, text = await backend.ask("get", url, {"method": "PATCH", "body": "é"})
    assert status == 200
    assert json.loads(text)["body"].encode("latin-1").decode() == "é"
    assert json.loads(text)["headers"]["content-type"] == "text/plain;charset=UTF-8"


async def test_fetch_outside_of_an_oracle_says_where_it_is(backend: Backend) -> None:
    await backend.start("localhost")
    assert "fetch can be used in System.oracle alone" in await backend.ask("outside")


async def test_a_failure_is_a_type_error(backend: Backend) -> None:
    await backend.start("localhost:1")
    is_type_error, message = await backend.ask("typed")
    assert is_type_error
    assert message == "fetch failed: localhost:1 gave no answer: ClientConnectorError"


async def test_no_host_is_allowed_by_itself(backend: Backend, server: Server) -> None:
    await backend.start()
    found = await backend.ask("get", f"http://localhost:{server.port}/")
    assert found == "fetch failed: the operator allows no requests: see --allow-net of nodevms exec"
    assert server.asked == []


async def test_other_hosts_and_ports_are_refused_before_they_are_looked_up(
    backend: Backend, server: Server
) -> None:
    await backend.start(f"localhost:{server.port}", "api.example.org")
    refused = [
        *(
            "http://localhost/",
            f"http://localhost:{server.port + 1}/",
            f"https://localhost:{server.port + 1}/",
        ),
        *(
            f"http://127.0.0.1:{server.port}/",
            f"http://2130706433:{server.port}/",
            f"http://0x7f.1:{server.port}/",
        ),
        *(f"http://[::1]:{server.port}/", f"http://[::ffff:127.0.0.1]:{server.port}/"),
        *(
            "http://example.org/",
            "http://api.example.org:8080/",
            "http://api.example.org.evil.example/",
        ),
        *(f"http://x.localhost:{server.port}/", f"http://localhost.:{server.port}/"),
    ]
    found = await backend.ask("many", refused)
    assert all(
        message.startswith("fetch failed: the operator allows no requests to ") for message in found
    ), found
    assert backend.looked_up == []
    assert server.asked == []
    assert backend.hosts() is None


@pytest.mark.parametrize(
    "url",
    ["ftp://localhost/", "file:///etc/passwd", "data:text/plain,x", "http://user:word@localhost/", "http://user@localhost/",
     "javascript:1", "no url", "http://", "http://localhost:99999/"],
)  # fmt: skip
async def test_urls_that_are_not_asked(backend: Backend, url: str) -> None:
    await backend.start("localhost")
    message = await backend.ask("get", url)
    assert isinstance(message, str)
    assert backend.looked_up == []


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "240.0.0.1", "::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
     "ff02::1", "::", "::127.0.0.1", "192.0.0.9", "192.88.99.1", "168.63.129.16", "2001:1::1"],
)  # fmt: skip
async def test_a_name_that_leads_to_a_private_address(backend: Backend, address: str) -> None:
    backend.names["inside.example"] = [address]
    await backend.start("inside.example")
    found = await backend.ask("get", "http://inside.example/")
    assert (
        found
        == "fetch failed: inside.example leads to an address that is not of the public internet"
    )
    assert backend.hosts() == ["inside.example"]


async def test_a_name_may_lead_to_a_listed_address_and_is_resolved_once(
    backend: Backend, server: Server
) -> None:
    backend.names["api.example"] = ["10.255.255.1", "127.0.0.1"]
    await backend.start(f"*.example:{server.port}", f"127.0.0.1:{server.port}")
    found = await backend.ask("get", f"http://api.example:{server.port}/")
    assert found == [404, False, "nothing"]
    assert backend.looked_up == ["api.example"]
    assert server.asked == ["GET api.example /"]
    assert await backend.ask("get", f"http://127.0.0.1:{server.port}/") == [404, False, "nothing"]
    assert "allows no requests to example" in await backend.ask(
        "get", f"http://example:{server.port}/"
    )


async def test_redirects_are_followed_and_each_is_checked(backend: Backend, server: Server) -> None:
    backend.names |= {"inside.example": ["127.0.0.1"], "b.localhost": ["127.0.0.1"]}
    await backend.start(f"localhost:{server.port}", f"inside.example:{server.port}")
    base = f"http://localhost:{server.port}"
    found = await backend.ask("whole", f"{base}/to?302,/none")
    assert (found["status"], found["redirected"], found["url"]) == (404, True, f"{base}/none")
    assert await backend.ask("get", f"{base}/to?301,{base}/to?307,/none") == [404, False, "nothing"]
    for place, message in [
        ("http://169.254.169.254/", "the operator allows no requests to 169.254.169.254"),
        (
            f"http://inside.example:{server.port}/",
            f"inside.example:{server.port} leads to an address that is not of the public internet",
        ),
        ("file:///etc/passwd", "the URL is none of http or https"),
        (f"http://a:b@localhost:{server.port}/", "the URL has a user or a password in it"),
    ]:
        assert await backend.ask("get", f"{base}/to?302,{place}") == f"fetch failed: {message}"
    assert (
        await backend.ask("get", f"{base}/loop")
        == "fetch failed: it was redirected more than 5 times"
    )
    assert (
        await backend.ask("get", f"{base}/to?302,/x", {"redirect": "error"})
        == "fetch failed: it was redirected"
    )
    assert await backend.ask("get", f"{base}/to?302,/x", {"redirect": "manual"}) == [
        302,
        False,
        "moved",
    ]


async def test_a_redirect_keeps_what_it_should(backend: Backend, server: Server) -> None:
    backend.names["other.example"] = ["127.0.0.1"]
    await backend.start(
        *(f"{host}:{server.port}" for host in ("localhost", "other.example", "127.0.0.1"))
    )
    headers = {"Authorization": "secret", "Cookie": "a=b", "X-Mine": "kept"}

    async def echoed(status: int, host: str) -> Any:
        place = f"http://{host}:{server.port}/echo"
        found = await backend.ask(
            "get",
            f"http://localhost:{server.port}/to?{status},{place}",
            {"method": "POST", "body": "sent", "headers": headers},
        )
        return json.loads(found[2])

    same = await echoed(307, "localhost")
    assert (same["method"], same["body"]) == ("POST", "sent")
    assert same["headers"]["authorization"] == "secret"
    other = await echoed(303, "other.example")
    assert (other["method"], other["body"]) == ("GET", "")
    assert not {"authorization", "cookie", "content-type"} & set(other["headers"])
    assert other["headers"]["x-mine"] == "kept"


async def test_cookies_are_not_kept(backend: Backend, server: Server) -> None:
    await backend.start(f"localhost:{server.port}")
    url = f"http://localhost:{server.port}/cookie"
    assert [(await backend.ask("get", url))[2] for _ in range(2)] == ["none", "none"]


async def test_proxies_of_the_environment_are_not_used(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await backend.start(f"localhost:{server.port}")
    assert (await backend.ask("get", f"http://localhost:{server.port}/x"))[0] == 404


async def test_below_a_listed_name_only_names_are_asked(backend: Backend) -> None:
    await backend.start("*.example.org")
    backend.names = {"a.b_c.example.org": ["127.0.0.1"]}
    long = ".".join(["a" * 60] * 4)
    odd = ["a!b", "a~b", "a$b", "a(b)", "a.", ".", "a" * 64, "a" * 7000, long]
    found = await backend.ask("many", [f"http://{name}.example.org/" for name in odd])
    assert all("the operator allows no requests to " in message for message in found), found
    assert backend.looked_up == []
    assert backend.hosts() is None
    await backend.ask("get", "http://a.b_c.example.org/")
    assert backend.hosts() == ["a.b_c.example.org"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "CONNECT"}, "the method is none that may be used"),
        ({"method": "connect"}, "the method is none that may be used"),
        ({"method": "Trace"}, "the method is none that may be used"),
        ({"method": "A B"}, "the method is none that may be used"),
        ({"headers": {"Host": "x"}}, "the header host is not the script's"),
        ({"headers": {"Content-Length": "9"}}, "the header content-length is not the script's"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "the header transfer-encoding is not the script's"),
        ({"headers": {"a": "x" * 9000}}, "a header has at most 8,192 characters"),
        ({"headers": {f"h{n}": "" for n in range(65)}}, "a request has at most 64 headers"),
        ({"redirect": "never"}, "redirect is follow, error or manual"),
        ({"method": "POST", "body": "x" * 1_000_000 + "é" * 30_000}, "a request's body has at most 1,048,576 bytes"),
    ],
)  # fmt: skip
async def test_requests_that_are_not_sent(
    backend: Backend, options: dict[str, Any], message: str
) -> None:
    await backend.start("localhost", limits=Limits(args_bytes=2 << 20))
    assert await backend.ask("get", "http://localhost/", options) == f"fetch failed: {message}"
    assert backend.looked_up == []


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"a": "b\r\nc: d"}},
        {"headers": {"a b": "c"}},
        {"headers": {"": "c"}},
        {"headers": {"a": "☃"}},
    ],
)
async def test_headers_that_are_none(backend: Backend, options: dict[str, Any]) -> None:
    await backend.start("localhost")
    assert (await backend.ask("get", "http://localhost/", options)).startswith("Invalid header")


async def test_an_answer_that_is_too_large(backend: Backend, server: Server) -> None:
    await backend.start(f"localhost:{server.port}")
    base = f"http://localhost:{server.port}"
    most = await backend.ask("whole", f"{base}/large?100000")
    assert len(most["bytes"]) == 100_000
    assert await backend.ask("many", [f"{base}/large?{1 << 20}"]) == [200]
    too_large = "fetch failed: the answer has more than 1,048,576 bytes"
    assert await backend.ask("get", f"{base}/large?{(1 << 20) + 1}") == too_large
    assert "fetch failed: " in await backend.ask("get", f"{base}/bomb")
    assert "gave no answer" in await backend.ask("get", f"{base}/headers?200")
    assert "gave no answer" in await backend.ask("get", f"{base}/broken")


@pytest.mark.parametrize("path", ["slow", "drip"])
async def test_a_server_that_takes_its_time(backend: Backend, server: Server, path: str) -> None:
    await backend.start(f"localhost:{server.port}", limits=Limits(oracle_seconds=1))
    found = await backend.ask("get", f"http://localhost:{server.port}/{path}")
    assert found in {
        "fetch failed: the time of this call's oracles is over",
        "The oracle took longer than it may",
    }
    assert await backend.ask("outside") is not None


async def test_a_resolver_that_never_answers(backend: Backend) -> None:
    await backend.start("blocks.example", limits=Limits(oracle_seconds=1))
    found = await backend.ask("get", "http://blocks.example/")
    assert "time of this call's oracles is over" in found


@pytest.mark.parametrize(
    "changed",
    [{"redirect": {}}, {"redirect": []}, {"method": []}, {"url": {}}, {"headers": 1}, {"headers": [[[], {}, 1]]}],
)  # fmt: skip
def test_what_is_no_request_is_answered(changed: dict[str, Any]) -> None:
    request = {"url": "http://localhost/", "method": "GET", "headers": [], "redirect": "follow"}
    fetcher = Fetcher(AllowedHosts(["localhost:1"]))
    answer = fetcher(json.dumps(request | changed).encode(), 1, lambda _: True)
    assert set(json.loads(answer)) == {"error"}


async def test_a_call_asks_a_few_servers(backend: Backend) -> None:
    names = [f"h{n}.example" for n in range(10)]
    await backend.start("*.example")
    found = await backend.ask("many", [f"http://{name}/" for name in names])
    assert all("gave no answer" in message for message in found[:8])
    assert found[8:] == ["fetch failed: an oracle may not ask so many servers"] * 2
    assert backend.hosts() == sorted(names[:8])


async def test_closing_waits_for_the_call_and_no_longer(backend: Backend, server: Server) -> None:
    await backend.start(f"localhost:{server.port}", limits=Limits(oracle_seconds=1))
    assert backend.vm is not None
    url = json.dumps([f"http://localhost:{server.port}/slow"]).encode()
    calling = backend.vm.call("get", url)
    assert await asyncio.to_thread(server.slowly.wait, 60)
    await backend.vm.close()
    assert (await calling).error is not None
