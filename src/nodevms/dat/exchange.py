"""One feed on one connection: it may be read from us and downloaded by us at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodevms.dat.uploader import Uploader
from nodevms.dat.wire import (
    Cancel,
    Data,
    Have,
    Info,
    Message,
    Request,
    Unhave,
    Unwant,
    Want,
)
from nodevms.errors import RemoteProtocolError

if TYPE_CHECKING:
    from nodevms.dat.feeds import DownloadPeer, Shared
    from nodevms.dat.limits import Limits
    from nodevms.dat.wire import Channel


class Exchange:
    """What goes on about one feed with one peer.

    Attributes:
        shared: The feed.
        uploader: Our answers.
    """

    def __init__(self, channel: Channel, shared: Shared, limits: Limits, now: float) -> None:
        self.shared = shared
        self.uploader = Uploader(shared.feed, self._send, limits=limits, now=now)
        self._channel = channel
        self._download: DownloadPeer | None = None
        self._limits = limits
        self._late = 0
        self._remote_done = False
        self._said_done = False

    @property
    def finished(self) -> bool:
        """Whether both sides have said that they download nothing more."""
        return self._remote_done and self._said_done

    @property
    def downloading(self) -> bool:
        """Whether we may still ask for something."""
        download = self.shared.download
        return download is not None and not download.done

    def begin_download(self) -> None:
        """Ask this peer for what the feed lacks, if anything is wanted."""
        if self._download is None and self.shared.download is not None:
            self._download = self.shared.download.join(self._send)
            self._said_done = False

    def end_download(self) -> None:
        """Ask for nothing more."""
        if self._download is not None:
            self._download.leave()
            self._download = None
            self._late = self._limits.requests_max

    def receive(self, message: Message, now: float) -> None:
        """Take a message of the peer.

        Raises:
            RemoteProtocolError: It broke the rules.
            FeedFalseError: It sent what the feed's key never signed.
            ForkError: It proved a fork.
        """
        if isinstance(message, Request | Want | Cancel | Unwant):
            self.uploader.receive(message, now)
        elif isinstance(message, Have | Unhave | Data):
            if self._download is not None:
                self._download.receive(message)
            elif isinstance(message, Data):
                self._unasked()
        elif isinstance(message, Info) and message.downloading is not None:
            self._remote_done = not message.downloading

    def say_when_done(self, *, live: bool) -> None:
        """Tell the peer when neither of us wants anything more, as one that is not live awaits."""
        if self._said_done or self.downloading:
            return
        ours = not live and self._download is not None
        if ours or (self._remote_done and not self.uploader.waiting):
            self._said_done = True
            self._send(Info(uploading=not self._remote_done, downloading=False))

    def tick(self, now: float) -> None:
        """Let time pass for the download; raises as :meth:`receive`."""
        if self._download is not None:
            self._download.tick(now)

    def close(self) -> None:
        """Be done with the feed on this connection."""
        self.end_download()
        self._channel.close()

    def _unasked(self) -> None:
        """Forgive what was on its way when the download ended."""
        self._late -= 1
        if self._late < 0:
            raise RemoteProtocolError("It sent what nobody asked for.", code="dat-unasked")

    def _send(self, message: Message) -> None:
        if not self._channel.closed:
            self._channel.send(message)
