"""One feed of a copy that is kept: what it holds already, and what the server says now.

An earlier fetch is evidence. A copy whose own last signature is valid is never cut for a shorter
head, nor overwritten by another history: either is proved false, and the copy stays as it is.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nodevms.audit.divergence import EntryFalseError
from nodevms.audit.seen import shortened
from nodevms.errors import CouldNotCheckError, NodeVMSError, StorageError, UsageError
from nodevms.feed import BLOCK_BYTES_MAX, Feed, Head, flat_tree, open_plain, read_start
from nodevms.feed.files import OSFiles
from nodevms.feed.heads import ForkError, check_extends, verify_head
from nodevms.feed.merkle import NO_NODE, NODE_BYTES, Node, leaf_hash
from nodevms.feed.recovery import signed_heads
from nodevms.feed.sleep import HEADER_BYTES, FeedFiles, SleepFile
from nodevms.rpc.doors import SIGNATURE_BYTES, HeadDocument
from nodevms.vm.directory import Layout
from nodevms.vm.writer_lock import is_locked


@dataclass(frozen=True, slots=True)
class KeptCopy:
    """One feed on its way into a directory.

    Attributes:
        name: ``call-log``, ``metadata`` or ``content``.
        directory: The folder of its files.
        prefix: What their names begin with.
        head: What the server says.
    """

    name: str
    directory: Path
    prefix: str
    head: HeadDocument

    def parts(self) -> dict[str, int]:
        """Return the size of each file at this head."""
        length = self.head.length
        return {
            "tree": HEADER_BYTES + NODE_BYTES * max(2 * length - 1, 0),
            "signatures": HEADER_BYTES + SIGNATURE_BYTES * length,
            "data": self.head.byte_length,
        }

    def present_bytes(self) -> int:
        """Return how many bytes of these files are there already."""
        size = 0
        for part in self.parts():
            with suppress(OSError):
                size += self.path(part).stat().st_size
        return size

    def path(self, part: str) -> Path:
        """Return where a file goes; a tree goes aside until it was compared."""
        return self.directory / f"{self.prefix}{part}"

    def prepare(self, *, allow_older: bool) -> None:
        """Make the folder, and refuse to spoil what is in it.

        Raises:
            UsageError: It is another backend's copy, a backend's own directory, or a folder of
                something else.
            ProvedFalseError: The copy has more, validly signed, than the server shows now.
            CouldNotCheckError: It cannot be written.
        """
        try:
            self._make_folder()
        except OSError as error:
            raise _not_writable(self.directory, error) from error
        signed = self._signed_head()
        before = 0 if signed is None else signed.length
        if before > self.head.length:
            if allow_older:
                raise UsageError(
                    f"the copy in {self.directory} has {before} blocks, and the server "
                    f"{self.head.length}; a fetch would cut it",
                    code="directory-foreign",
                    hint="Choose another --dir, and keep this copy.",
                )
            if self.name == "call-log":
                raise shortened(self.head.length, before)
            raise EntryFalseError(
                f"the feed {self.name} was shortened: it has {self.head.length} blocks, "
                f"and the copy in {self.directory} has {before}",
                entry=None,
                code="feed-shortened",
            )

    def _make_folder(self) -> None:
        key, key_path = bytes.fromhex(self.head.key), self.path("key")
        if self.name != "call-log":  # the root may be a link: the reader named it
            for folder in (self.directory.parent, self.directory):
                if folder.is_symlink():
                    raise _foreign(f"{folder} is a link, and a copy has none")
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.path("secret_key").exists():
            raise _foreign(
                f"{self.directory} is a backend's own directory, not a copy",
                hint="Verify it as it is: nodevms verify DIR.",
            )
        try:
            found = read_start(key_path, len(key) + 1)
        except FileNotFoundError:
            if next(self.directory.iterdir(), None) is not None:
                raise _foreign(f"{self.directory} is not empty and holds no copy") from None
            with key_path.open("xb") as file:
                file.write(key)
            return
        if found != key:
            raise _foreign(f"{self.directory} holds a copy of another backend")
        if self.name == "call-log" and is_locked(Layout(self.directory)):
            raise _foreign(f"{self.directory} is in use by another process")

    def take_tree(self, fetched: Path) -> None:
        """Put a fetched tree in its place, if it is what the head signs and continues the copy.

        Args:
            fetched: The tree file as it came.

        Raises:
            ProvedFalseError: The head's signature is none of the key over this tree, or the tree
                has another history than the copy.
        """
        file = SleepFile(OSFiles(), fetched, writable=True, create=False)
        try:
            # A server that goes on writing may have filled these in since it gave its head.
            for index in flat_tree.unfinished(self.head.length):
                file.write(HEADER_BYTES + NODE_BYTES * index, NO_NODE)
            self._check_head(file)
            self._check_history(file)
        finally:
            file.close()
        # It says what came over the network before. From here on the tree is whole.
        self.path("bitfield").unlink(missing_ok=True)
        fetched.replace(self.path("tree"))

    def good_data_bytes(self) -> int:
        """Return how many bytes of data are there and are those that the tree holds.

        Raises:
            CouldNotCheckError: They cannot be read.
        """
        path = self.path("data")
        try:
            fd = open_plain(path, os.O_RDONLY)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _not_writable(path, error) from error
        tree = SleepFile(OSFiles(), self.path("tree"), writable=False, create=False)
        good = 0
        try:
            with open(fd, "rb") as data:
                for block in range(self.head.length):
                    leaf = _node(tree, 2 * block)
                    if leaf.size > BLOCK_BYTES_MAX:
                        break
                    if leaf_hash(data.read(leaf.size)) != leaf.hash:
                        break
                    good += leaf.size
        finally:
            tree.close()
        return good

    def _signed_head(self) -> Head | None:
        """Return the longest head of the copy, whether its blocks are there or not."""
        with suppress(StorageError):
            files = FeedFiles(OSFiles(), self.directory, self.prefix)
            try:
                return next(signed_heads(files, bytes.fromhex(self.head.key)), None)
            finally:
                files.close()
        return None

    def _feed(self) -> Feed:
        return Feed.open(self.directory, self.prefix, writable=False)

    def _check_head(self, tree: SleepFile) -> None:
        try:
            verify_head(bytes.fromhex(self.head.key), self._head(tree))
        except NodeVMSError as error:
            raise EntryFalseError(
                f"the head that the server gives of the feed {self.name} is not what its key "
                f"signed: {error}",
                entry=None,
                code="head-false",
            ) from error

    def _head(self, tree: SleepFile) -> Head:
        head = self.head
        roots = tuple(_node(tree, index) for index in flat_tree.full_roots(head.length))
        return Head(head.length, head.byte_length, roots, bytes.fromhex(head.signature))

    def _check_history(self, tree: SleepFile) -> None:
        self._check_leaves(tree)
        signed = self._signed_head()
        if signed is None:
            return
        try:
            check_extends(signed, self._head(tree), lambda index: _node(tree, index))
        except ForkError as error:  # a copy with holes shows no more than that
            raise EntryFalseError(
                f"the feed {self.name} was rewritten: it does not begin as the copy at "
                f"{self.directory}, which the same key signed before",
                entry=None,
                code="log-rewritten",
            ) from error

    def _check_leaves(self, tree: SleepFile) -> None:
        with suppress(StorageError), self._feed() as feed:
            for block in range(feed.length):
                if _node(tree, 2 * block) != feed.node(2 * block):
                    unit = "entry" if self.name == "call-log" else "block"
                    raise EntryFalseError(
                        f"the feed {self.name} was rewritten: {unit} {block} is not the one in "
                        f"the copy at {self.directory}, which the same key signed before",
                        entry=block if self.name == "call-log" else None,
                        code="log-rewritten",
                    )


def _not_writable(path: Path, error: OSError) -> CouldNotCheckError:
    return CouldNotCheckError(
        f"{path} cannot be written: {error.strerror}",
        code="not-writable",
        hint="Choose another place for the copy with --dir.",
    )


def _foreign(message: str, hint: str = "Choose another --dir.") -> UsageError:
    return UsageError(message, code="directory-foreign", hint=hint)


def _node(tree: SleepFile, index: int) -> Node:
    return Node.from_stored(index, tree.read(HEADER_BYTES + NODE_BYTES * index, NODE_BYTES))
