"""A line between two programs on this computer that counts what passes, and can be held."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

CHUNK_BYTES = 1 << 14
PATIENCE_S = 30.0


class CountedLine:
    """Takes connections on a port and makes each go on to another port.

    Use it as a context manager: at its end all connections are ended.

    Args:
        port: Where the connections go on to, on 127.0.0.1.
        hold_after: So many bytes that come back from there are let through, then none.

    Attributes:
        port: Where to connect to.
    """

    def __init__(self, port: int, *, hold_after: int | None = None) -> None:
        self._to = port
        self._hold_after = hold_after
        self._came = 0
        self._open = True
        self._changed = threading.Condition()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._server]
        self._threads: list[threading.Thread] = []
        self.port: int = self._server.getsockname()[1]

    @property
    def came(self) -> int:
        """How many bytes came back from where the line goes."""
        return self._came

    def held(self) -> bool:
        """Return whether all is through that may pass."""
        return self._hold_after is not None and self._came >= self._hold_after

    def hold_after(self, size: int | None) -> None:
        """Let so many bytes through, counted from now on; all if None."""
        with self._changed:
            self._came, self._hold_after = 0, size
            self._changed.notify_all()

    def _take(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            with self._changed:
                self._sockets += [near, far]
            self._begin(self._there, near, far)
            self._begin(self._back, far, near)

    def _begin(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _there(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(CHUNK_BYTES):
                far.sendall(data)
        _end(far)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while size := self._may_pass():
                data = far.recv(size)
                if not data:
                    break
                with self._changed:
                    self._came += len(data)
                near.sendall(data)
        _end(near)

    def _may_pass(self) -> int:
        with self._changed:
            self._changed.wait_for(lambda: not self._open or not self.held())
            if not self._open:
                return 0
            left = CHUNK_BYTES if self._hold_after is None else self._hold_after - self._came
            return min(CHUNK_BYTES, left)

    def __enter__(self) -> CountedLine:
        self._begin(self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for one in self._sockets:
            _end(one)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for one in self._sockets:
            one.close()


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
