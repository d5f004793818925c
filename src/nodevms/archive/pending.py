"""Changes that are in the state and not yet in its index.

The engine runs ahead of the disk: a call's changes are visible at once, and written when the log
entry that they belong to is synced. Each call is a `Layer`; `Pending` keeps the layers in order,
and over them one merged view, so that a read costs the same whatever number waits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from nodevms.archive.listing import Names, Page
from nodevms.archive.paths import split_path
from nodevms.archive.record import HistoryItem, Record, Totals
from nodevms.archive.tree import Branch, Node, Ref


@dataclass(slots=True)
class Layer:
    """What one log entry, or several in a row, did to the state.

    Attributes:
        length: Log length that the state reflects with it.
        version: filesVersion with it.
        root: The tree with it.
        totals: What all files are together with it.
        nodes: Tree nodes put, and None for those dropped.
        items: The changes in order.
    """

    length: int
    version: int
    root: Ref | None
    totals: Totals
    nodes: dict[bytes, Node | None] = field(default_factory=dict)
    items: list[HistoryItem] = field(default_factory=list)


class LayerNodes:
    """The tree nodes of one layer in the making, over those of the state."""

    __slots__ = ("_load", "nodes")

    def __init__(self, load: Callable[[Branch], Node]) -> None:
        self._load = load
        self.nodes: dict[bytes, Node | None] = {}

    def load(self, ref: Branch) -> Node:
        """Return a node of the layer, or of the state below it."""
        return self.nodes.get(ref.id) or self._load(ref)

    def put(self, node_id: bytes, node: Node) -> None:
        """Store or replace a node in the layer."""
        self.nodes[node_id] = node

    def drop(self, node_id: bytes) -> None:
        """Note that the node is gone."""
        self.nodes[node_id] = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A path's newest record in the layers (None: deleted), and the log length of its layer."""

    length: int
    record: Record | None


class Pending:
    """The layers that wait for the disk; not thread-safe, the state's lock covers it."""

    __slots__ = ("_by_path", "_nodes", "folders", "layers")

    def __init__(self) -> None:
        self.layers: deque[Layer] = deque()
        self._by_path: dict[str, list[HistoryItem]] = {}
        self.folders: dict[str, Names[Waiting]] = {}
        self._nodes: dict[bytes, tuple[int, Node | None]] = {}

    def node(self, node_id: bytes) -> Node | None:
        """Return a waiting tree node, or None."""
        waiting = self._nodes.get(node_id)
        return None if waiting is None else waiting[1]

    def node_count(self) -> int:
        """Return how many tree nodes wait, dropped ones included."""
        return len(self._nodes)

    def waiting(self, path: str) -> Waiting | None:
        """Return the newest waiting record of a path; None when no layer touched it."""
        parent, name = split_path(path)
        names = self.folders.get(parent)
        return None if names is None else names.entries.get(name)

    def page(self, folder: str, after: str) -> Page[Record | None]:
        """Return at most PAGE_NAMES names of a folder that wait, in order; None for deleted."""
        names = self.folders.get(folder)
        if names is None:
            return []
        return [(name, waiting.record) for name, waiting in names.page(after)]

    def push(self, layer: Layer) -> None:
        """Add a layer on top."""
        self.layers.append(layer)
        length = layer.length
        for node_id, node in layer.nodes.items():
            self._nodes[node_id] = (length, node)
        for item in layer.items:
            parent, name = split_path(item.path)
            names = self.folders.get(parent)
            if names is None:
                names = self.folders[parent] = Names()
            names.put(name, Waiting(length, item.record))
            self._by_path.setdefault(item.path, []).append(item)

    def forget(self, layer: Layer) -> None:
        """Take out all layers up to this merged one's length, which is on disk now."""
        while self.layers and self.layers[0].length <= layer.length:
            self.layers.popleft()
        for node_id in layer.nodes:
            if self._nodes.get(node_id, (layer.length + 1,))[0] <= layer.length:
                del self._nodes[node_id]
        for item in layer.items:
            self._forget_item(item)
            parent, name = split_path(item.path)
            names = self.folders.get(parent)
            waiting = None if names is None else names.entries.get(name)
            if names is None or waiting is None or waiting.length > layer.length:
                continue
            names.drop(name)
            if not names.entries:
                del self.folders[parent]

    def history(
        self, path: str | None, start: int, end: int, *, reverse: bool, limit: int
    ) -> list[HistoryItem]:
        """Return at most `limit` waiting changes with start <= version < end, in order.

        Costs no time for those that it does not return, however many wait.
        """
        if path is not None:
            found = self._by_path.get(path, [])
            low = bisect_left(found, start, key=_item_version)
            high = bisect_left(found, end, low, key=_item_version)
            if reverse:
                return found[max(high - limit, low) : high][::-1]
            return found[low : min(low + limit, high)]
        items = self._backwards(start, end) if reverse else self._forwards(start, end)
        return list(islice(items, limit))

    def record_at(self, path: str, version: int) -> HistoryItem | None:
        """Return the newest waiting change of a path up to a filesVersion, or None."""
        found = self._by_path.get(path, [])
        after = bisect_right(found, version, key=_item_version)
        return found[after - 1] if after else None

    def _forwards(self, start: int, end: int) -> Iterator[HistoryItem]:
        first = bisect_left(self.layers, start, key=_version)
        for at in range(first, len(self.layers)):
            layer = self.layers[at]
            if layer.version - len(layer.items) + 1 >= end:
                return
            yield from _between(layer, start, end)

    def _backwards(self, start: int, end: int) -> Iterator[HistoryItem]:
        last = min(bisect_left(self.layers, end, key=_version), len(self.layers) - 1)
        for at in range(last, -1, -1):
            layer = self.layers[at]
            if layer.version < start:
                return
            yield from reversed(_between(layer, start, end))

    def _forget_item(self, item: HistoryItem) -> None:
        waiting = self._by_path.get(item.path)
        if waiting is not None and waiting[0].version == item.version:
            del waiting[0]
            if not waiting:
                del self._by_path[item.path]


def _version(layer: Layer) -> int:
    return layer.version


def _item_version(item: HistoryItem) -> int:
    return item.version


def _between(layer: Layer, start: int, end: int) -> list[HistoryItem]:
    """Return a layer's changes with start <= version < end; its versions have no gaps."""
    first = layer.version - len(layer.items) + 1
    return layer.items[max(start - first, 0) : max(end - first, 0)]


def merge_layers(layers: list[Layer]) -> Layer:
    """Return one layer that does what these do one after the other."""
    last = layers[-1]
    merged = Layer(last.length, last.version, last.root, last.totals)
    for layer in layers:
        merged.nodes.update(layer.nodes)
        merged.items.extend(layer.items)
    return merged
