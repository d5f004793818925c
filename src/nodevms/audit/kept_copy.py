"""One feed of a copy that is kept: what it holds already, and what the server says now.

An earlier fetch is evidence. A copy whose own last signature is valid is never cut for a shorter
head, nor overwritten by another history: either is proved false, and the copy stays as it is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nodevms.audit.divergence import EntryFalseError
from nodevms.audit.seen import shortened
from nodevms.errors import CouldNotCheckError, NodeVMSError, StorageError, UsageError
from nodevms.feed import Feed, Head, flat_tree
from nodevms.feed.files import OSFiles
from nodevms.feed.heads import verify_head
from nodevms.feed.merkle import NO_NODE, NODE_BYTES, Node, leaf_hash
from nodevms.feed.sleep import HEADER_BYTES, SleepFile
from nodevms.rpc.doors import SIGNATURE_BYTES, HeadDocument


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
        key = bytes.fromhex(self.head.key)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if self.path("secret_key").exists():
                raise UsageError(
                    f"{self.directory} is a backend's own directory, not a copy",
                    code="directory-foreign",
                    hint="Verify it as it is: nodevms verify DIR.",
                )
            key_path = self.path("key")
            if key_path.exists() and key_path.read_bytes() != key:
                raise UsageError(
                    f"{self.directory} holds a copy of another backend",
                    code="directory-foreign",
                    hint="Choose another --dir.",
                )
            if not key_path.exists() and self._among_strangers():
                raise UsageError(
                    f"{self.directory} is not empty and holds no copy",
                    code="directory-foreign",
                    hint="Choose an empty or new directory with --dir.",
                )
            key_path.write_bytes(key)
        except OSError as error:
            raise CouldNotCheckError(
                f"{self.directory} cannot be written: {error.strerror}",
                code="not-writable",
                hint="Choose another place for the copy with --dir.",
            ) from error
        before = self._signed_length()
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

    def _among_strangers(self) -> bool:
        """Tell whether the folder of a copy's log has anything that no copy has."""
        own = (self.prefix, "files")
        return any(not path.name.startswith(own) for path in self.directory.iterdir())

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
        fetched.replace(self.path("tree"))

    def good_data_bytes(self) -> int:
        """Return how many bytes of data are there and are those that the tree holds."""
        path = self.path("data")
        if not path.exists():
            return 0
        tree = SleepFile(OSFiles(), self.path("tree"), writable=False, create=False)
        good = 0
        try:
            with path.open("rb") as data:
                for block in range(self.head.length):
                    leaf = _node(tree, 2 * block)
                    if leaf.size > self.head.byte_length:
                        break
                    if leaf_hash(data.read(leaf.size)) != leaf.hash:
                        break
                    good += leaf.size
        finally:
            tree.close()
        return good

    def _signed_length(self) -> int:
        with suppress(StorageError), self._feed() as feed:
            return feed.length
        return 0

    def _feed(self) -> Feed:
        return Feed.open(self.directory, self.prefix, writable=False)

    def _check_head(self, tree: SleepFile) -> None:
        head = self.head
        roots = tuple(_node(tree, index) for index in flat_tree.full_roots(head.length))
        try:
            verify_head(
                bytes.fromhex(head.key),
                Head(head.length, head.byte_length, roots, bytes.fromhex(head.signature)),
            )
        except NodeVMSError as error:
            raise EntryFalseError(
                f"the head that the server gives of the feed {self.name} is not what its key "
                f"signed: {error}",
                entry=None,
                code="head-false",
            ) from error

    def _check_history(self, tree: SleepFile) -> None:
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


def _node(tree: SleepFile, index: int) -> Node:
    return Node.from_stored(index, tree.read(HEADER_BYTES + NODE_BYTES * index, NODE_BYTES))
