import json
from pathlib import Path

import pytest

from nodevms.errors import StorageError, UsageError
from nodevms.feed import KeyPair, dat_url, discovery_key, parse_dat_url, verify_signature

VECTORS = Path(__file__).parents[2] / "vectors" / "dat_v1"

# Both from a drive that hyperdrive 9.16.0 made.
DRIVE_METADATA_SEED = bytes([0x66]) * 32
DRIVE_CONTENT_KEY = "a2828c855c617af0eadb7a01fb342535ea039a2cdae69e85443a1ed5df420782"


@pytest.mark.parametrize("name", ["feed-one", "feed-singles", "feed-batches", "call-log"])
def test_keys_are_those_of_hypercore(name: str) -> None:
    vector = json.loads((VECTORS / name / "vector.json").read_text())
    pair = KeyPair.from_seed(bytes.fromhex(vector["seed"]))
    assert pair.public.hex() == vector["key"]
    assert pair.secret == (VECTORS / name / (vector["prefix"] + "secret_key")).read_bytes()
    assert discovery_key(pair.public).hex() == vector["discoveryKey"]


def test_a_drives_content_key_is_that_of_hyperdrive() -> None:
    metadata = KeyPair.from_seed(DRIVE_METADATA_SEED)
    assert metadata.content_key_pair().public.hex() == DRIVE_CONTENT_KEY


def test_a_pair_signs_and_only_its_key_verifies() -> None:
    pair, other = KeyPair.generate(), KeyPair.generate()
    signature = pair.sign(b"root")
    assert len(signature) == 64
    assert verify_signature(pair.public, b"root", signature)
    assert not verify_signature(other.public, b"root", signature)
    assert not verify_signature(pair.public, b"roof", signature)
    for broken in (b"", signature[:63], signature + b"\x00", bytes(64)):
        assert not verify_signature(pair.public, b"root", broken)
    assert not verify_signature(b"short", b"root", signature)


def test_generation_takes_its_randomness_from_outside() -> None:
    assert KeyPair.generate(lambda count: b"\x11" * count) == KeyPair.from_seed(b"\x11" * 32)
    with pytest.raises(UsageError):
        KeyPair.from_seed(b"short")


def test_the_secret_does_not_show_in_the_repr() -> None:
    pair = KeyPair.from_seed(b"\x11" * 32)
    assert "1111" not in repr(pair)
    assert "\\x11" not in repr(pair)


def test_stored_keys_that_do_not_belong_together_are_refused() -> None:
    pair, other = KeyPair.generate(), KeyPair.generate()
    assert KeyPair.from_secret(pair.secret, pair.public) == pair
    forged = pair.secret[:32] + other.public
    for secret, public in ((pair.secret, other.public), (forged, other.public), (b"", b"")):
        with pytest.raises(StorageError) as caught:
            KeyPair.from_secret(secret, public)
        assert caught.value.fatal


def test_dat_urls() -> None:
    key = bytes(range(32))
    assert parse_dat_url(dat_url(key)) == key
    assert dat_url(key) == "dat://" + key.hex()
    assert parse_dat_url(dat_url(key).upper().replace("DAT", "dat") + "/") == key
    for wrong in ("", "dat://", "dat://" + "0" * 63, "dat://" + "0" * 65, "http://" + "0" * 64):
        with pytest.raises(UsageError):
            parse_dat_url(wrong)
    with pytest.raises(UsageError) as caught:
        parse_dat_url("x" * 10_000)
    assert len(str(caught.value)) < 200
