"""States and calls for the tests of the files."""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from nodevms.archive import ArchiveInfo, Change, FileApi, Overlay, State, TemporaryContents

INFO = ArchiveInfo("dat://" + "ab" * 32, "Title")


OPENED = ExitStack()
"""What a test opened and need not close itself; see conftest."""


def open_state(path: Path | None = None, *, cache_max: int = 50_000) -> State:
    return OPENED.enter_context(State.open(path, cache_max=cache_max))


def temporary_contents(bytes_max: int = 1 << 30) -> TemporaryContents:
    return OPENED.enter_context(TemporaryContents(bytes_max))


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def file(path: str, data: bytes = b"", block: int = 0) -> Change:
    return Change(path, "file", len(data), sha(data), block)


def folder(path: str) -> Change:
    return Change(path, "folder")


def deleted(path: str) -> Change:
    return Change(path, "deleted")


def listing(state: State, path: str = "/") -> list[str]:
    return [name for name, _ in state.children(path)]


def request(*parts: object, data: bytes | None = None) -> bytes:
    head = json.dumps(parts).encode()
    return head if data is None else head + b"\0" + data


class Refused(Exception):
    """What a script would catch."""

    def __init__(self, name: str, message: str, code: str | None = None) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.code = code


class Files:
    """`System.files` of one call, as a script sees it."""

    def __init__(self, api: FileApi, charge: Callable[[int], None]) -> None:
        self._api = api
        self._charge = charge

    def __getattr__(self, name: str) -> Callable[..., object]:
        def operation(*arguments: object, data: bytes | None = None) -> object:
            answer = self._api.handle(request(name, *arguments, data=data), self._charge)
            text, separator, content = answer.partition(b"\0")
            decoded = json.loads(text)
            if "error" in decoded:
                assert decoded.keys() == {"error"}
                assert decoded["error"].keys() - {"code"} == {"name", "message"}
                assert ("code" in decoded["error"]) == (
                    decoded["error"]["name"] == "QuotaExceededError"
                )
                raise Refused(**decoded["error"])
            assert decoded.keys() == {"value"}
            return content if separator else decoded["value"]

        return operation

    def write(self, path: str, data: bytes = b"") -> None:
        assert self.writeFile(path, data=data) is None


class Backend:
    """A state, its contents, and calls in order."""

    def __init__(self, state: State | None = None, **limits: int) -> None:
        self.state = open_state() if state is None else state
        self.contents = temporary_contents()
        self.length = self.state.seq
        self.limits = limits
        self.gas = 0

    def begin(self) -> tuple[Overlay, Files]:
        overlay = Overlay(self.state, self.contents, 1000 + self.length, **self.limits)
        return overlay, Files(FileApi(overlay, INFO), self.charge)

    def charge(self, gas: int) -> None:
        assert gas >= 0
        self.gas += gas

    def call(self, work: Callable[[Files], object]) -> tuple[Change, ...]:
        overlay, files = self.begin()
        work(files)
        self.length += 1
        return overlay.commit(self.length)
