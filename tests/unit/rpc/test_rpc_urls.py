"""Addresses as people type them."""

from __future__ import annotations

import pytest

from nodevms.errors import UsageError
from nodevms.rpc import parse_backend_url


@pytest.mark.parametrize(
    ("text", "ws", "http"),
    [
        ("localhost:5555", "ws://localhost:5555/", "http://localhost:5555/"),
        ("localhost", "ws://localhost/", "http://localhost/"),
        ("127.0.0.1:80/", "ws://127.0.0.1:80/", "http://127.0.0.1:80/"),
        ("[::1]:5555", "ws://[::1]:5555/", "http://[::1]:5555/"),
        (
            "localhost:1/bob/counter",
            "ws://localhost:1/bob/counter",
            "http://localhost:1/bob/counter/",
        ),
        ("example.org", "wss://example.org/", "https://example.org/"),
        ("Example.org:444/a/", "wss://example.org:444/a", "https://example.org:444/a/"),
        ("192.168.1.1:5555", "wss://192.168.1.1:5555/", "https://192.168.1.1:5555/"),
        ("ws://example.org:5555", "ws://example.org:5555/", "http://example.org:5555/"),
        ("wss://localhost", "wss://localhost/", "https://localhost/"),
        ("http://localhost:5555/", "ws://localhost:5555/", "http://localhost:5555/"),
        ("https://example.org/x", "wss://example.org/x", "https://example.org/x/"),
    ],
)
def test_addresses(text: str, ws: str, http: str) -> None:
    address = parse_backend_url(text)
    assert (address.ws, address.http) == (ws, http)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/path", ":5555", "localhost:port", "localhost:99999", "dat://abcd", "ftp://a"),
        *("a b:1", "bob@localhost:5555", "localhost:5555?user=bob", "localhost:5555#x"),
        *("[::1", "ws://"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse_backend_url(text)


def test_a_user_is_escaped() -> None:
    address = parse_backend_url("localhost:5555")
    assert address.with_user("b&ö b") == "ws://localhost:5555/?user=b%26%C3%B6%20b"
    assert address.with_user(None) == "ws://localhost:5555/"
