"""The host's side of ``crypto``: what it answers, what it takes, and that no request breaks it."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from nodevms.sandbox.crypto import (
    ALGORITHMS,
    BYTE_GAS,
    REQUEST_GAS,
    VERIFY_GAS,
    answer_crypto,
)
from nodevms.sandbox.host import OutOfGas

KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
    "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
REFUSED = b'{"error":"No such cryptographic request"}'


def ask(text: str, data: bytes = b"") -> tuple[bytes, int]:
    taken: list[int] = []
    request = text.encode() + b"\0" + data
    answer = answer_crypto(request, taken.append)
    assert taken[0] == REQUEST_GAS + BYTE_GAS * len(request)
    return answer, sum(taken[1:])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_hashes_and_codes(name: str) -> None:
    digest = hashlib.new(name, b"abc").digest()
    assert ask(f'["hash","{name}"]', b"abc") == (b'{"value":null}\0' + digest, 0)
    code = hmac.new(b"ab", b"c", name).digest()
    assert ask(f'["hmac","{name}",2]', b"abc") == (b'{"value":null}\0' + code, 0)


def test_signatures() -> None:
    text = '["verify","ed25519"]'
    assert ask(text, KEY + SIGNATURE) == (b'{"value":true}', VERIFY_GAS)
    assert ask(text, KEY + SIGNATURE + b"x") == (b'{"value":false}', VERIFY_GAS)
    assert ask(text, bytes(96)) == (b'{"value":false}', VERIFY_GAS)
    assert ask(text, bytes(95)) == (REFUSED, 0)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "[",
            "null",
            "5",
            "[]",
            '["hash"]',
            '["hash","sha3_256"]',
            '["hash",5]',
            '["hash","MD5"]',
        ),
        *('["hmac","md5"]', '["hmac","md5",-1]', '["hmac","md5",99]', '["hmac","md5",1.5]'),
        *(
            '["hmac","md5",null]',
            '["verify"]',
            '["verify","rsa"]',
            '{"hash":"md5"}',
            '["\\ud800","x"]',
        ),
        *("[" * 150, "[" * 100_000, '["hash","md5"' + " " * 200 + "]", "\ufeff[]", "1" * 199),
    ],
)
def test_whatever_else_is_asked_is_refused(text: str) -> None:
    assert ask(text, b"abc") == (REFUSED, 0)
    assert answer_crypto(text.encode(), lambda _gas: None) == REFUSED
    assert json.loads(REFUSED)["error"]


def test_bytes_that_are_no_text_are_refused() -> None:
    assert answer_crypto(b"\xff\xfe[", lambda _gas: None) == REFUSED


def test_nothing_is_done_without_the_gas_for_it() -> None:
    def charge(_gas: int) -> None:
        raise OutOfGas

    with pytest.raises(OutOfGas):
        answer_crypto(b'["hash","md5"]\0abc', charge)
