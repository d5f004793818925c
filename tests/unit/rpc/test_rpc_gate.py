"""Host, Origin and callers' names."""

from __future__ import annotations

import base64

import pytest

from nodevms.errors import UsageError
from nodevms.rpc.gate import CallerRefusedError, ForbiddenError, Gate, caller_of

LOOPBACK = Gate.of("127.0.0.1", [])
OPENED = Gate.of("127.0.0.1", ["https://Example.org", "http://localhost:3000"])
PUBLIC = Gate.of("0.0.0.0", [])


@pytest.mark.parametrize(
    ("gate", "host", "origin"),
    [
        (LOOPBACK, "localhost:5555", None),
        (LOOPBACK, "LOCALHOST", None),
        (LOOPBACK, "127.0.0.1:5555", None),
        (LOOPBACK, "127.8.8.8", None),
        (LOOPBACK, "[::1]:5555", None),
        (LOOPBACK, "localhost:5555", "http://localhost:5555"),
        (LOOPBACK, "localhost", "http://localhost"),
        (LOOPBACK, "localhost", "http://LOCALHOST:80"),
        (OPENED, "localhost:5555", "https://example.org"),
        (OPENED, "localhost:5555", "http://localhost:3000"),
        (OPENED, "example.org", "https://example.org"),
        (OPENED, "example.org", None),
        (PUBLIC, "192.168.7.7:5555", None),
        (PUBLIC, "[2001:db8::1]:5555", "http://[2001:db8::1]:5555"),
        (Gate.of("node.example", []), "Node.example:5555", None),
        (Gate.of("127.0.0.1", ["*"]), "evil.example", "https://evil.example"),
        (Gate.of("127.0.0.1", ["null"]), "localhost", "null"),
    ],
)
def test_these_may_enter(gate: Gate, host: str, origin: str | None) -> None:
    gate.check(host, origin)


@pytest.mark.parametrize(
    ("gate", "host", "origin"),
    [
        (LOOPBACK, None, None),
        (LOOPBACK, "", None),
        (LOOPBACK, "evil.example:5555", None),
        (LOOPBACK, "evil.example:5555", "http://evil.example:5555"),
        (LOOPBACK, "localhost.evil.example", None),
        (LOOPBACK, "192.168.7.7:5555", None),
        (LOOPBACK, "localhost:port", "http://localhost:port"),
        (LOOPBACK, "[::1", None),
        (LOOPBACK, "localhost:5555", "http://localhost:3000"),
        (LOOPBACK, "localhost:5555", "http://localhost"),
        (LOOPBACK, "localhost:5555", "http://127.0.0.1:5555"),
        (LOOPBACK, "localhost:5555", "http://evil.example"),
        (LOOPBACK, "localhost:5555", "null"),
        (LOOPBACK, "localhost:5555", ""),
        (LOOPBACK, "localhost:5555", "file://localhost:5555"),
        (OPENED, "localhost:5555", "http://example.org"),
        (OPENED, "localhost:5555", "https://example.org.evil.example"),
        (PUBLIC, "evil.example:5555", None),
    ],
)
def test_these_may_not(gate: Gate, host: str | None, origin: str | None) -> None:
    with pytest.raises(ForbiddenError):
        gate.check(host, origin)


@pytest.mark.parametrize("origin", ["example.org", "ftp://a", "https://a/b", "https://", ""])
def test_an_allowed_origin_must_be_one(origin: str) -> None:
    with pytest.raises(UsageError, match="origin"):
        Gate.of("127.0.0.1", [origin])


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def caller(user: str | None, header: str | None = None, *, debug: bool = True) -> str | None:
    return caller_of(user, header, debug=debug, bytes_max=256)


def test_the_query_goes_before_the_header() -> None:
    assert caller("bob", basic("alice:secret")) == "bob"
    assert caller(None, basic("alice:se:cret")) == "alice"
    assert caller(None, basic("ålice")) == "ålice"
    assert caller(None) is None
    assert caller("") is None
    assert caller(None, basic(":secret")) is None
    assert caller(None, debug=False) is None
    assert caller("", debug=False) is None


@pytest.mark.parametrize(
    ("user", "header", "debug"),
    [
        ("bob", None, False),
        (None, basic("bob:"), False),
        ("ab" * 32, None, True),
        ("AB" * 32, None, True),
        ("x" * 257, None, True),
        ("å" * 129, None, True),
        ("a\nb", None, True),
        ("a\x00", None, True),
        ("a\x7f", None, True),
        ("\ud800", None, True),
        (None, "Basic ###", True),
        (None, "Basic /w==", True),
        (None, "Bearer abc", True),
    ],
)
def test_names_that_are_refused(user: str | None, header: str | None, debug: bool) -> None:
    with pytest.raises(CallerRefusedError):
        caller(user, header, debug=debug)


def test_a_long_name_fits_to_the_byte() -> None:
    assert caller("å" * 128) == "å" * 128
