"""A backend's feeds on the network: whatever the network does, the backend is closed in time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodevms.cli.sharing import Shown
from nodevms.dat import Network, Swarm, SwarmThread
from nodevms.errors import LocalProtocolError
from nodevms.feed import Feed, KeyPair


@pytest.fixture
def thread() -> Iterator[SwarmThread[Network]]:
    thread = SwarmThread(Network(Swarm(port=0)))
    thread.start()
    yield thread
    thread.stop()


@pytest.fixture
def feeds(tmp_path: Path) -> list[Feed]:
    pairs = [KeyPair.from_seed(bytes([number]) * 32) for number in range(3)]
    return [Feed.create(tmp_path / str(at), "", pair) for at, pair in enumerate(pairs)]


def test_feeds_are_shown_until_they_are_closed(
    thread: SwarmThread[Network], feeds: list[Feed]
) -> None:
    shown = Shown(thread)
    for _ in range(2):  # as after a failure between
        shown.opened(*feeds)
        assert set(thread.swarm.swarm.keys) == {feed.key for feed in feeds}
        shown.closing()
        shown.closing()
        assert thread.swarm.swarm.keys == ()


def test_a_network_that_does_not_answer_holds_up_no_backend(
    thread: SwarmThread[Network], feeds: list[Feed], caplog: pytest.LogCaptureFixture
) -> None:
    shown = Shown(thread, patience_seconds=0.05)
    shown.opened(*feeds)
    stuck, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        stuck.set()
        go_on.wait(30)

    hanging = threading.Thread(target=lambda: thread.call(hang))
    hanging.start()
    assert stuck.wait(30)
    try:
        shown.closing()
        shown.opened(*feeds)
    finally:
        go_on.set()
        hanging.join()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "does not answer" in caplog.text


def test_a_network_that_fails_is_only_said(
    thread: SwarmThread[Network],
    feeds: list[Feed],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = Shown(thread)
    shown.opened(*feeds)

    def fail(key: bytes) -> None:
        raise LocalProtocolError(f"It knows no {key[:1].hex()}.", code="dat-unshared")

    with monkeypatch.context() as patch:
        patch.setattr(thread.swarm, "unshare", fail)
        shown.closing()
    assert "cannot be taken from the Dat network: It knows no" in caplog.text
