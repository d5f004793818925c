"""The cipher against the vectors of its inventor's paper "Cryptography in NaCl"."""

from __future__ import annotations

from nodevms.dat.wire.cipher import XSalsa20, hsalsa20

SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
FIRST = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
NONCE = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
SECOND = bytes.fromhex("dc908dda0b9344a953629b733820778880f3ceb421bb61b91cbd4c3e66256ce4")
STREAM = bytes.fromhex("eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880")


def test_hsalsa20_gives_the_published_keys() -> None:
    assert hsalsa20(SHARED, bytes(16)) == FIRST
    assert hsalsa20(FIRST, NONCE[:16]) == SECOND


def test_xsalsa20_gives_the_published_stream_however_it_is_cut() -> None:
    assert XSalsa20(FIRST, NONCE).apply(bytes(32)) == STREAM
    cut = XSalsa20(FIRST, NONCE)
    assert b"".join(cut.apply(bytes(size)) for size in (1, 0, 7, 24)) == STREAM
