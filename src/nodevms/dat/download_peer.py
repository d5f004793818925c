"""One feed's download from one peer; see :mod:`nodevms.dat.downloader`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nodevms.dat.asked import Asked, Why
from nodevms.dat.head_comparison import HeadComparison
from nodevms.dat.limits import Allowance
from nodevms.dat.next_blocks import NextBlocks
from nodevms.dat.remote_blocks import WINDOW_BLOCKS, RemoteBlocks
from nodevms.dat.wire import Cancel, Data, Have, Message, Request, Unhave
from nodevms.errors import RemoteProtocolError
from nodevms.feed import FeedFalseError, FeedUnprovedError

if TYPE_CHECKING:
    from nodevms.dat.downloader import Downloader

_EXTENDING_MAX = 2
_EXTENDING_SECONDS = 1.0
"""How long one who was asked for a longer head keeps others from being asked."""
_LOOKS = 64
_LOOKS_PER_SECOND = 20.0
"""How often all that is missing is gone through because one peer says that it has more."""


class PeerDownload:
    """What we ask one peer for.

    Attributes:
        remote: What it says it has.
        can_extend: It may have a longer head than ours that can be asked for.
        head: Whether its head and ours agree.
        faults: Requests in a row that it let time out. Others are asked before it.
        useful: It has answered.
    """

    def __init__(self, download: Downloader, send: Callable[[Message], None]) -> None:
        """Use :meth:`nodevms.dat.downloader.Downloader.join` instead."""
        self._download = download
        self._feed = download.feed
        self._limits = download.limits
        self._send = send
        self.remote = RemoteBlocks(download.clock())
        self._flight: dict[tuple[int, bool], Asked] = {}
        self._late: dict[tuple[int, bool], None] = {}
        self.head = HeadComparison(self._feed, self.remote)
        self.faults = 0
        self.useful = False
        self._doubt: FeedFalseError | None = None
        self._gone = False
        self._window = float(self._limits.requests_begin)
        self._block_bytes = 0.0
        self._next = NextBlocks(download.wanted, self.remote, self._takes, self._ask_window)
        self._silent_since: float | None = None
        self._told = False
        self._looks = Allowance(_LOOKS, _LOOKS_PER_SECOND, download.clock())

    @property
    def can_extend(self) -> bool:
        """Whether a longer head than ours can be asked for here."""
        return not self._download.settled and self._extension() is not None

    def begin(self) -> None:
        """Ask what it has."""
        self._ask_window(0)
        self._ask_window(self._feed.length // WINDOW_BLOCKS)

    def receive(self, message: Message) -> None:
        """Take a Have, Unhave or Data.

        Raises:
            RemoteProtocolError: The peer broke the rules.
            FeedFalseError: What it sent is not what the feed's key signed.
            ForkError: It proved, with evidence, that the feed has two histories.
            StorageError: It could not be stored.
        """
        if isinstance(message, Have):
            self.remote.take(message, self._download.clock())
            self._download.heard_of(self.remote.length)
            self._told = True
        elif isinstance(message, Unhave):
            self._lose(message)
        elif isinstance(message, Data):
            self._take(message)
        self.ask()

    def tick(self, now: float) -> None:
        """Give up on what took too long; raises as :meth:`receive`."""
        since = self._silent_since
        if self._flight and since is not None and now - since > self._limits.stall_seconds:
            raise RemoteProtocolError("It answers no requests.", code="dat-unanswered")
        faults = self.faults
        for (index, hashed), asked in tuple(self._flight.items()):
            if now - asked.since <= self._limits.request_seconds:
                continue
            if asked.why is Why.ACCUSE and self._doubt is not None:
                raise self._doubt
            if asked.why is Why.EXTEND:
                self.head.never_came(now)
            self._window = max(self._window / 2, 1.0)
            self.remote.drop(index)
            self._give_up(index, hashed)
            self.faults += 1
        if self.faults > faults:
            self._download.ask()  # those who answer, before this one takes the same again
        else:
            self.ask()

    def leave(self) -> None:
        """The peer is gone: let others be asked."""
        self._gone = True
        for index, hashed in tuple(self._flight):
            self._forget(index, hashed)
        self._download.leave(self)

    def cancel(self, index: int) -> None:
        """Take back the request for a block."""
        if (index, False) in self._flight:
            self._send(Cancel(index))
            self._give_up(index, False)

    def ask(self) -> None:
        """Ask for as much as the peer may be asked for."""
        if self._gone or self._doubt is not None or not self.remote.heard:
            return
        self._ask_window(self._feed.length // WINDOW_BLOCKS)
        self._ask_for_head()
        self._look_again()
        while not self.comparing and self._may_ask():
            index = self._next.block()
            if index is None:
                return
            self._request(index, Why.BLOCK, hashed=False, nodes=self._feed.digest(index))

    def _look_again(self) -> None:
        """Look for more to ask for after the peer said that it has more, but not all the time."""
        if self._told and self._looks.spend(self._download.clock()):
            self._told = False
            self._next.look_again()

    def _may_ask(self) -> bool:
        window = self._window
        if self._block_bytes:
            window = min(window, max(2.0, self._limits.flight_bytes_max / self._block_bytes))
        return (
            len(self._flight) < window
            and self._feed.unflushed_bytes < self._limits.unflushed_bytes_max
        )

    def _ask_window(self, window: int) -> None:
        want = self.remote.ask(window)
        if want is not None:
            self._send(want)

    def _ask_for_head(self) -> None:
        """Ask for a longer head, or for one to compare with ours."""
        if self.comparing:
            return
        extension = self._extension()
        extending, now = self._download.extending, self._download.clock()
        asked = sum(now - since < _EXTENDING_SECONDS for since in extending.values())
        may_extend = not self._download.settled and asked < _EXTENDING_MAX
        if extension is not None and self not in extending and may_extend:
            extending[self] = now
            hashed = self.faults > 0 or not self._takes(extension)
            self._request(extension, Why.EXTEND, hashed=hashed, nodes=0)
        elif (probe := self.head.probe(extension)) is not None:
            self._request(probe, Why.PROBE, hashed=True, nodes=0)

    @property
    def comparing(self) -> bool:
        """Whether an answer is on its way that will tell if the peer's head and ours agree."""
        heads = (asked.why in (Why.EXTEND, Why.PROBE) for asked in self._flight.values())
        return not self.head.made and any(heads)

    def _extension(self) -> int | None:
        """Return the block whose full proof shows a longer head, if the peer has it."""
        length = self._feed.length
        if self.remote.length <= length or not self.head.may_extend(self._download.clock()):
            return None
        if length in self.remote:
            return length
        return self.remote.first() if not length else None

    def _takes(self, index: int) -> bool:
        return (
            index in self._download.wanted
            and index not in self._download.asked
            and not self._feed.has(index)
        )

    def _request(self, index: int, why: Why, *, hashed: bool, nodes: int) -> None:
        self._late.pop((index, hashed), None)
        now = self._download.clock()
        if self._silent_since is None:
            self._silent_since = now
        self._flight[index, hashed] = Asked(why, now)
        if not hashed:
            self._download.asked[index] = self
        self._send(Request(index, hash=hashed, nodes=nodes))

    def _take(self, data: Data) -> None:
        """Take an answer."""
        self._answered()
        place = (data.index, data.value is None)
        asked = self._flight.pop(place, None)
        if asked is None:
            if place not in self._late:
                raise RemoteProtocolError(
                    f"It sent block {data.index}, which nobody asked for.", code="dat-unasked"
                )
            del self._late[place]
            if data.value is None or self._doubt is not None or not self._takes(data.index):
                return
            asked = Asked(Why.BLOCK, 0.0)
        else:
            self._release(data.index, asked)
        settled = self._download.settled and asked.why is Why.EXTEND
        if asked.why is Why.PROBE or settled:
            self.head.take(data)
            self._was_useful()
        elif asked.why is Why.ACCUSE:
            self._feed.compare(data.index, data.nodes, data.signature)
            raise self._doubt or FeedFalseError("It contradicts itself.", block=data.index)
        else:
            self._put(data, asked.why)

    def _put(self, data: Data, why: Why) -> None:
        length = self._feed.length
        try:
            self._feed.put(data.index, data.value, data.nodes, data.signature)
        except (FeedUnprovedError, FeedFalseError) as error:
            self._download.wanted.changes += 1  # others can be asked
            self._refuse(data.index, why, error)
            return
        self._was_useful()
        if data.value is not None:
            self._window = min(self._window + 1 / 2, float(self._limits.requests_max))
            size = len(data.value)
            self._block_bytes += (size - self._block_bytes) / 8
            self._download.stored(data.index, size)
        if self._feed.length > length:
            self.head.came()
            self._download.heard_of(self.remote.length)
            self._download.extended()

    def _refuse(self, index: int, why: Why, error: FeedUnprovedError | FeedFalseError) -> None:
        """Judge a peer by what was wrong with its answer."""
        if isinstance(error, FeedUnprovedError):
            if error.code == "feed-too-long":
                raise RemoteProtocolError(str(error), code=error.code) from error
            if why is Why.BLOCK or index == self._feed.length:  # else ours grew in the meantime
                self.remote.drop(index)  # it has a head that we can do nothing with
            return
        if error.code != "feed-path" or why is Why.EXTEND:
            raise error
        # A full proof tells whether the peer or the feed's key is at fault.
        for place in tuple(self._flight):
            self._give_up(*place)
        self._doubt = error
        self._request(index, Why.ACCUSE, hashed=True, nodes=0)

    def _was_useful(self) -> None:
        self.faults, self.useful = 0, True

    def _answered(self) -> None:
        self._silent_since = self._download.clock() if self._flight else None

    def _lose(self, unhave: Unhave) -> None:
        self.remote.lose(unhave, self._download.clock())
        lost = range(unhave.start, unhave.start + unhave.length)
        for index, hashed in tuple(self._flight):
            if index in lost:
                if self._flight[index, hashed].why is Why.ACCUSE and self._doubt is not None:
                    raise self._doubt
                self._forget(index, hashed)
                self._answered()

    def _give_up(self, index: int, hashed: bool) -> None:
        """Wait no longer for an answer; it may still come."""
        self._forget(index, hashed)
        self._late[index, hashed] = None
        while len(self._late) > self._limits.late_max:
            del self._late[next(iter(self._late))]

    def _forget(self, index: int, hashed: bool) -> None:
        """Forget a request, so that others can be asked."""
        self._release(index, self._flight.pop((index, hashed)))
        self._download.wanted.changes += 1

    def _release(self, index: int, asked: Asked) -> None:
        """Let others be asked for what was asked for here."""
        if asked.why is Why.EXTEND:
            self._download.extending.pop(self, None)
        if self._download.asked.get(index) is self and (index, False) not in self._flight:
            del self._download.asked[index]
