"""Who has this feed? Asking and answering by multicast DNS, without a socket.

Packets come in with the link they came on, their sender and the time; packets to send and found
peers go out. Nobody who sends is trusted:

- a packet that does not name a feed of ours is dropped before it is read, and so is one of a sender
  who sends too many;
- only what was asked is answered, on the link where it was asked, and each answer at most once a
  second however often it is asked (answers go to all on the link, so one serves every asker);
- an answer can name its sender as a peer and nobody else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from nodevms.dat.discovery import dat_names
from nodevms.dat.discovery.allowance import Allowance
from nodevms.dat.discovery.dns_packets import Packet, Question, Record, read_packet, write_packet

ASK_SECONDS_MAX = 60.0
"""A feed that is looked for is asked for after 0, 1, 2, 4 … and then every 60 seconds."""

ANSWER_SECONDS = 1.0
"""RFC 6762, section 6: an answer is not multicast again within a second."""

_ANNOUNCE_SECONDS = (1.0, 2.0)  # after the first announcement; RFC 6762, section 8.3
_HASTEN_SECONDS = 30.0
_T = TypeVar("_T")
_FEEDS_A_PACKET = 4  # keeps packets within an Ethernet frame
_NAME = re.compile(rb"\x28([0-9A-Fa-f]{40})")  # a label of 40 bytes; labels are never compressed


@dataclass(frozen=True, slots=True)
class FoundPeer:
    """Somebody says that a peer has a feed, or wants it."""

    discovery_key: bytes
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A packet to send to the group: on one link, or on every link when ``link`` is None."""

    link: int | None
    packet: bytes


@dataclass(slots=True)
class _Feed:
    discovery_key: bytes
    name: str
    port: int | None = None
    asked: int = 0
    ask_at: float | None = None  # None: not looked for
    announced: int = 0
    announce_at: float | None = None
    hastened_at: float | None = None
    answered_at: dict[tuple[int, Question], float] = field(default_factory=dict)
    answer_at: dict[tuple[int, Question], float] = field(default_factory=dict)

    def wake_at(self) -> Iterator[float]:
        if self.ask_at is not None:
            yield self.ask_at
        if self.announce_at is not None:
            yield self.announce_at
        yield from self.answer_at.values()


class MulticastDns:
    """What one program asks, answers and learns about its feeds.

    Times are seconds on one clock that never goes back.

    Args:
        identity: 32 random bytes, by which this program knows its own packets.
        jitter: Returns a random number from 0 to 1.
    """

    def __init__(self, identity: bytes, jitter: Callable[[], float]) -> None:
        self._identity = identity
        self._jitter = jitter
        self._feeds: dict[str, _Feed] = {}
        self._allowance = Allowance(burst=60, per_second=10, everyone=5)

    def announce(self, discovery_key: bytes, port: int, now: float) -> None:
        """Say on every link that we have a feed, and answer whoever asks for it."""
        feed = self._feed(discovery_key)
        feed.port, feed.announced, feed.announce_at = port, 0, now

    def unannounce(self, discovery_key: bytes) -> None:
        """Answer nobody any more; the protocols have no goodbye."""
        feed = self._feed(discovery_key)
        feed.port = feed.announce_at = None
        feed.answer_at.clear()
        feed.answered_at.clear()
        self._drop_if_idle(feed)

    def lookup(self, discovery_key: bytes, now: float) -> None:
        """Ask on every link who has a feed, now and again until :meth:`forget`."""
        feed = self._feed(discovery_key)
        feed.asked, feed.ask_at = 0, now

    def forget(self, discovery_key: bytes) -> None:
        """Ask no more for a feed."""
        feed = self._feed(discovery_key)
        feed.ask_at = None
        self._drop_if_idle(feed)

    def link_up(self, now: float) -> None:
        """Begin asking and announcing anew: there is a new link to be heard on."""
        for feed in self._feeds.values():
            if feed.ask_at is not None:
                feed.asked, feed.ask_at = 0, now
            if feed.port is not None:
                feed.announced, feed.announce_at = 0, now

    def link_down(self, link: int) -> None:
        """Forget what was to be answered, and was answered, on a link that is gone."""
        for feed in self._feeds.values():
            for times in (feed.answered_at, feed.answer_at):
                for key in [key for key in times if key[0] == link]:
                    del times[key]

    def receive(self, link: int, packet: bytes, sender: str, now: float) -> list[FoundPeer]:
        """Take in a packet; what is to be answered is in the next :meth:`due`.

        Args:
            link: A number for the link that it came on.
            packet: The packet as it came.
            sender: The IPv4 address that it came from.
            now: The time.

        Raises:
            RemoteProtocolError: It names one of our feeds and cannot be read.
        """
        if not self._names_a_feed(packet) or not self._allowance.take(sender, now):
            return []
        read = read_packet(packet)
        if any(dat_names.is_marked(each, self._identity) for each in read.records):
            return []
        if read.response:
            return list(self._found(read, sender))
        for question in dict.fromkeys(read.questions):
            self._asked(link, question, now)
        return []

    def due(self, now: float) -> list[Outgoing]:
        """Return the packets to send now, and count them as sent."""
        return [*self._answers(now), *self._announcements(now), *self._questions(now)]

    def next_due(self) -> float | None:
        """Return when there is next something to send; None: nothing until something happens."""
        times = itertools.chain.from_iterable(feed.wake_at() for feed in self._feeds.values())
        return min(times, default=None)

    def _feed(self, discovery_key: bytes) -> _Feed:
        name = discovery_key[: dat_names.NAME_BYTES].hex()
        return self._feeds.setdefault(name, _Feed(discovery_key, name))

    def _drop_if_idle(self, feed: _Feed) -> None:
        if feed.port is None and feed.ask_at is None:
            del self._feeds[feed.name]

    def _names_a_feed(self, packet: bytes) -> bool:
        names = (match[1].lower().decode() for match in _NAME.finditer(packet))
        return any(name in self._feeds for name in names)

    def _found(self, packet: Packet, sender: str) -> Iterator[FoundPeer]:
        for record in packet.records:
            feed = self._feeds.get(dat_names.feed_name(record) or "")
            if feed is not None and feed.ask_at is not None:
                for host, port in dat_names.peers(record, sender):
                    yield FoundPeer(feed.discovery_key, host, port)

    def _asked(self, link: int, question: Question, now: float) -> None:
        feed = self._feeds.get(dat_names.feed_name(question) or "")
        if feed is None:
            return
        self._hasten(feed, now)
        if feed.port is not None and dat_names.answers(question, feed.port, self._identity):
            key = (link, question)
            last = feed.answered_at.get(key)
            due = now if last is None else max(now, last + ANSWER_SECONDS)
            feed.answer_at[key] = min(due, feed.answer_at.get(key, due))

    def _hasten(self, feed: _Feed, now: float) -> None:
        # A question tells that somebody is there, perhaps with the feed: `dat` 13 begins to share
        # with one. Whoever waits for the next turn of a slow asker is asked soon instead.
        if feed.ask_at is None or feed.asked == 0:
            return
        if feed.hastened_at is None or now - feed.hastened_at >= _HASTEN_SECONDS:
            feed.hastened_at = now
            feed.ask_at = min(feed.ask_at, now + 0.1 + 0.1 * self._jitter())

    def _answers(self, now: float) -> Iterator[Outgoing]:
        by_link: dict[int, list[Record]] = {}
        for feed in self._feeds.values():
            for key in [key for key, at in feed.answer_at.items() if at <= now]:
                link, question = key
                del feed.answer_at[key]
                feed.answered_at[key] = now
                if feed.port is not None:
                    records = dat_names.answers(question, feed.port, self._identity)
                    by_link.setdefault(link, []).extend(records)
        for link, answers in by_link.items():
            for some in _batches(answers, 3 * _FEEDS_A_PACKET):
                yield Outgoing(link, write_packet(records=some, response=True))

    def _announcements(self, now: float) -> Iterator[Outgoing]:
        due = [
            feed
            for feed in self._feeds.values()
            if feed.announce_at is not None and feed.announce_at <= now
        ]
        for feed in due:
            later = _ANNOUNCE_SECONDS[feed.announced : feed.announced + 1]
            feed.announce_at = now + later[0] if later else None
            feed.announced += 1
        for some in _batches(due, _FEEDS_A_PACKET):
            records = [record for feed in some for record in self._records(feed)]
            yield Outgoing(None, write_packet(records=records, response=True))

    def _records(self, feed: _Feed) -> Iterable[Record]:
        for question in dat_names.questions(feed.name):
            yield from dat_names.answers(question, feed.port or 0, self._identity)

    def _questions(self, now: float) -> Iterator[Outgoing]:
        due = [
            feed for feed in self._feeds.values() if feed.ask_at is not None and feed.ask_at <= now
        ]
        for feed in due:
            wait = min(ASK_SECONDS_MAX, 2.0 ** min(feed.asked, 10))
            feed.ask_at = now + wait * (1 + 0.1 * self._jitter())
            feed.asked += 1
        for some in _batches(due, _FEEDS_A_PACKET):
            questions = [each for feed in some for each in dat_names.questions(feed.name)]
            mark = dat_names.mark(some[0].name, self._identity)
            packet = write_packet(questions=questions, records=[mark], response=False)
            yield Outgoing(None, packet)


def _batches(items: list[_T], size: int) -> Iterator[list[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
