"""System.files against a plain dictionary, with flushes, reopenings and undone calls in between."""

import json
import tempfile
from hashlib import sha256
from pathlib import Path

from files_model import Model, ModelError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nodevms.archive import (
    ArchiveInfo,
    Change,
    FileApi,
    Overlay,
    State,
    TemporaryContents,
    verify_proof,
)
from nodevms.archive.record import path_key
from nodevms.archive.tree import naive_root

INFO = ArchiveInfo("dat://" + "00" * 32, "")
NAMES = st.sampled_from(["a", "b", "a.", "é", "\U0001f600", "B"])
PATHS = st.lists(NAMES, max_size=3).map(lambda names: "/" + "/".join(names))
DATA = st.binary(max_size=3) | st.just(66_000).map(bytes)
OPERATION = st.one_of(
    st.tuples(st.just("readFile"), PATHS),
    st.tuples(st.just("writeFile"), PATHS, DATA),
    st.tuples(st.just("writeFile"), PATHS, DATA),
    st.tuples(st.just("mkdir"), PATHS),
    st.tuples(st.just("unlink"), PATHS),
    st.tuples(st.just("rmdir"), PATHS, st.booleans()),
    st.tuples(st.just("copy"), PATHS, PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("exists"), PATHS),
    st.tuples(st.just("readdir"), PATHS, st.booleans()),
)


def ask(api: FileApi, operation: tuple[object, ...]) -> object:
    """Ask the real thing; a refusal becomes its name."""
    name, path, *rest = operation
    data = b""
    if name == "writeFile":
        data = b"\0" + rest.pop()  # type: ignore[operator]
    elif name in {"rmdir", "readdir"}:
        rest = [{"recursive": rest[0]}]
    answer = api.handle(json.dumps([name, path, *rest]).encode() + data, lambda _gas: None)
    text, separator, content = answer.partition(b"\0")
    decoded = json.loads(text)
    if "error" in decoded:
        return "refused " + decoded["error"]["name"]
    return content if separator else decoded["value"]


def expect(model: Model, operation: tuple[object, ...]) -> object:
    name, *arguments = operation
    try:
        return getattr(model, str(name))(*arguments)
    except ModelError as error:
        return f"refused {error}"


def copy_of(model: Model) -> Model:
    other = Model()
    other.there = dict(model.there)
    return other


class FilesMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "state.db"
        self.state = State.open(self.path, cache_max=6)
        self.contents = TemporaryContents(1 << 30)
        self.log: list[tuple[int, tuple[Change, ...], int]] = []
        self.versions = [(0, Model())]
        self.model = Model()
        self.flushed = (0, Model())
        self.time_ms = 1

    def teardown(self) -> None:
        self.state.close()
        self.contents.close()
        self.folder.cleanup()

    @rule(operations=st.lists(OPERATION, min_size=1, max_size=8), undone=st.booleans())
    def call(self, operations: list[tuple[object, ...]], undone: bool) -> None:
        self.time_ms += 1
        overlay = Overlay(self.state, self.contents, self.time_ms)
        api = FileApi(overlay, INFO)
        after = copy_of(self.model)
        for operation in operations:
            assert ask(api, operation) == expect(after, operation), operation
        paths = overlay.changed_paths()
        assert paths == sorted(paths, key=str.encode)
        changed = {p for p in after.there.keys() | self.model.there.keys() if p != "/"}
        for path in changed:
            if after.there.get(path, 0) != self.model.there.get(path, 0):
                assert path in paths
        if undone:
            return
        length = self.state.seq + 1
        changes = overlay.commit(length)
        assert [change.path for change in changes] == paths
        self.model = after
        if changes:
            self.log.append((length, changes, self.time_ms))
            self.versions.append((self.state.version, copy_of(after)))

    @rule(back=st.integers(0, 2))
    def flush(self, back: int) -> None:
        if self.state.seq - back > self.flushed[0]:
            self.state.flush(self.state.seq - back, force=True)
            self.flushed = (self.state.seq - back, self.model)

    @rule(discard=st.booleans())
    def reopen_and_catch_up(self, discard: bool) -> None:
        """As after a crash: what was not flushed is applied again from the log."""
        root, seq = self.state.root, self.state.seq
        if discard:
            self.state.discard_pending()
        else:
            self.state.close()
            self.state = State.open(self.path, cache_max=6)
        for length, changes, time_ms in self.log:
            if length > self.state.seq:
                self.state.apply(length, changes, time_ms)
        assert (self.state.root, self.state.seq) == (root, seq)

    @rule()
    def rebuild(self) -> None:
        """The state follows from the log alone."""
        with State.open(None) as other:
            for length, changes, time_ms in self.log:
                other.apply(length, changes, time_ms)
                if length % 3 == 0:
                    other.flush(length)
            assert (other.root, other.version) == (self.state.root, self.state.version)

    @rule(which=st.integers(0, 1 << 16))
    def the_past(self, which: int) -> None:
        version, model = self.versions[which % len(self.versions)]
        for folder in [path for path in model.there if model.is_folder(path)]:
            names = [name for name, _ in self.state.children_at(folder, version)]
            assert names == model.readdir(folder, recursive=False)
        for path, content in model.there.items():
            record = self.state.record_at(path, version)
            if path != "/":
                assert record is not None
                assert record.size == len(content or b"")

    @rule(path=PATHS)
    def prove(self, path: str) -> None:
        if path == "/":
            return
        value = verify_proof(self.state.root, path, self.state.prove(path))
        if path in self.model.there:
            assert value is not None
            assert value.kind == ("folder" if self.model.is_folder(path) else "file")
            assert value.size == len(self.model.there[path] or b"")
        else:
            assert value is None

    @invariant()
    def state_is_the_model(self) -> None:
        leaves = []
        for path in self.model.there:
            if path == "/":
                continue
            record = self.state.get(path)
            assert record is not None
            content = self.model.there[path]
            assert (record.kind == "folder") == (content is None)
            leaves.append((path_key(path), sha256(record.value.encode()).digest()))
        assert self.state.root == naive_root(leaves)
        for folder in [path for path in self.model.there if self.model.is_folder(path)]:
            names = [name for name, _ in self.state.children(folder)]
            assert names == self.model.readdir(folder, recursive=False)
        history = self.state.history(limit=100_000)
        assert [item.version for item in history] == list(range(1, self.state.version + 1))
        assert [item.path for item in history] == [c.path for _, cs, _ in self.log for c in cs]


TestFiles = FilesMachine.TestCase
TestFiles.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
