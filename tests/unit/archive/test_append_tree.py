"""The tree of paths: its bytes, its walks, and what no honest writer signs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodevms.archive.append_tree import AppendTree
from nodevms.archive.drive_errors import BadDriveError
from nodevms.archive.messages import NodeMessage, Stat, decode_index, encode_index
from nodevms.archive.sibling_lists import decode_sibling_lists, encode_sibling_lists
from nodevms.archive.tree_node import TreeNode, encode_node, join_names, split_path

VALUE = Stat(mode=0o100644).encode()


class Nodes:
    """Blocks by number, and a tree over them."""

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = [b"", *blocks]
        self.reads = 0

    def get(self, seq: int) -> TreeNode:
        self.reads += 1
        return TreeNode.decode(seq, self.blocks[seq])

    def tree(self, cached_names_max: int = 100) -> AppendTree:
        return AppendTree(self.get, cached_names_max=cached_names_max)

    @property
    def version(self) -> int:
        return len(self.blocks) - 1

    def put(self, path: str) -> None:
        block = self.tree().put(self.version, self.version + 1, split_path(path), VALUE)
        self.blocks.append(block)

    def delete(self, path: str) -> None:
        block = self.tree().delete(self.version, self.version + 1, split_path(path))
        self.blocks.append(block)

    def paths(self) -> list[str]:
        return [node.path for node in self.tree().walk(self.version)]


def hostile(seq: int, path: str, lists: list[list[int]], value: bytes | None = VALUE) -> bytes:
    return encode_node(seq, split_path(path), value, lists)


def test_lists_that_all_end_with_the_node_leave_it_out() -> None:
    assert encode_sibling_lists(300, [[2, 5, 300], [300]]) == bytes([1, 2, 2, 3, 0])
    assert encode_sibling_lists(300, [[2, 5, 300], [7]]) == bytes([0, 3, 2, 3, 0xA7, 2, 1, 7])
    assert encode_sibling_lists(300, [[]]) == bytes([0, 0])
    assert encode_sibling_lists(300, [[], [300]]) == bytes([0, 0, 1, 0xAC, 2])


@given(
    st.lists(st.sets(st.integers(1, 2**40)), max_size=5),
    st.integers(2**40, 2**50),
    st.booleans(),
)
def test_lists_read_back(sets: list[set[int]], seq: int, with_self: bool) -> None:
    lists = [sorted(numbers | ({seq} if with_self else set())) for numbers in sets]
    coded = encode_sibling_lists(seq, lists)
    assert decode_sibling_lists(seq, coded, lists_max=5) == lists


@pytest.mark.parametrize("gap", [1, 127, 128, 300])
def test_long_lists_with_some_gaps_read_back(gap: int) -> None:
    rng = random.Random(gap)
    row = [1]
    for _ in range(3000):
        row.append(row[-1] + (gap if rng.random() < 0.01 else 1))
    for seq, lists in ((row[-1], [row, [row[-1]]]), (row[-1] + 9, [row[:512], row[:513], row])):
        coded = encode_sibling_lists(seq, lists)
        assert decode_sibling_lists(seq, coded, lists_max=3) == lists
        with pytest.raises(BadDriveError):
            decode_sibling_lists(seq, coded[:-3], lists_max=3)


@pytest.mark.parametrize(
    "paths",
    [
        b"",
        b"\x02\x00",
        b"\x80",
        b"\x00\x01",
        b"\x00\x02\x01",
        b"\x00\xff\xff\xff\xff\xff\xff\x7f",
        b"\x00\x01" + b"\xff" * 8 + b"\x01",
        b"\x00\x01\x0a",
        b"\x01\x01\x09",
        b"\x00\x02\x03\x00",
        b"\x00\x01\x00",
        b"\x00\x00\x00\x00",
    ],
)
def test_lists_that_no_writer_makes_are_proved_false(paths: bytes) -> None:
    with pytest.raises(BadDriveError) as caught:
        decode_sibling_lists(9, paths, lists_max=2)
    assert caught.value.seq == 9


@given(st.binary(max_size=60))
def test_any_bytes_are_a_node_or_proved_false(block: bytes) -> None:
    try:
        node = TreeNode.decode(5, block)
        for depth in range(len(node.names) + 2):
            assert all(1 <= seq <= 5 for seq in node.siblings(depth))
        if node.value is not None:
            Stat.decode(node.value, seq=5)
    except BadDriveError as error:
        assert error.seq == 5  # noqa: PT017


@pytest.mark.parametrize(
    "name",
    [b"", b"a", b"//", b"/a/", b"/a//b", b"/.", b"/../x", b"/\xff", b"/\xed\xa0\x80", b"/" * 5000],
)
def test_names_that_are_no_plain_path_are_proved_false(name: bytes) -> None:
    with pytest.raises(BadDriveError):
        TreeNode.decode(1, NodeMessage(name, VALUE, b"\x01").encode())


def test_a_node_without_paths_or_with_a_huge_number_is_proved_false() -> None:
    for block in (b"\x0a\x02/a", b"\x1a\x01\x01", b"\x0a\x02/a\x1a\x01\x01\x88\x01" + b"\xff" * 9):
        with pytest.raises(BadDriveError):
            TreeNode.decode(1, block)
    for value in (b"", b"\x10\x00", b"\x08\x01\x20" + b"\xff" * 7 + b"\x7f"):
        with pytest.raises(BadDriveError):
            Stat.decode(value, seq=1)
    for header in (b"", b"\xff", encode_index(b"short"), b"\x0a\x05other\x12\x20" + bytes(32)):
        with pytest.raises(BadDriveError):
            decode_index(header)


def test_unknown_fields_of_later_writers_are_skipped() -> None:
    block = NodeMessage(b"/a", VALUE, b"\x01\x00\x00").encode() + b"\x92\x01\x03xyz"
    assert TreeNode.decode(1, block).names == ("a",)


def test_paths_and_names_are_inverse() -> None:
    for path in ("/", "/a", "/a b/ü.txt/…"):
        assert join_names(split_path(path)) == path
    assert split_path("/") == ()


def test_puts_and_deletes_follow_a_set() -> None:
    rng = random.Random(11)
    nodes, model = Nodes(), set[str]()
    for _ in range(300):
        path = "".join(f"/{rng.choice('abc')}" for _ in range(rng.randint(1, 4)))
        if path in model and rng.random() < 0.6:
            nodes.delete(path)
            model.remove(path)
        else:
            nodes.put(path)
            model.add(path)
        assert set(nodes.paths()) == model
        find = nodes.tree().find(nodes.version, split_path(path))
        assert (find is not None) == (path in model)


def test_a_walk_is_in_order_with_folders_first() -> None:
    nodes = Nodes()
    for path in ("/b/x", "/a", "/b", "/a.txt", "/a/z", "/a/b"):
        nodes.put(path)
    assert nodes.paths() == ["/a", "/a/b", "/a/z", "/a.txt", "/b", "/b/x"]


def test_the_cache_is_bounded_and_spares_reads() -> None:
    nodes = Nodes()
    for index in range(50):
        nodes.put(f"/{index}")
    for names_max, more in ((100, 2), (10, 51)):
        tree = nodes.tree(names_max)
        tree.folder(nodes.version, ())
        nodes.reads = 0
        assert len(tree.folder(nodes.version, ())) == 50
        assert nodes.reads < more


def test_a_list_that_leads_into_another_folder_is_proved_false() -> None:
    nodes = Nodes(
        hostile(1, "/other/x", [[1], [1], [1]]),
        hostile(2, "/folder/y", [[2], [1, 2], [2]]),
    )
    with pytest.raises(BadDriveError) as caught:
        nodes.tree().folder(2, ("folder",))
    assert caught.value.seq == 2


def test_a_list_with_one_name_twice_is_proved_false() -> None:
    nodes = Nodes(hostile(1, "/x", [[1], [1]]), hostile(2, "/x", [[1, 2], [2]]))
    with pytest.raises(BadDriveError) as caught:
        nodes.paths()
    assert caught.value.seq == 2


def test_a_list_that_points_forward_is_proved_false() -> None:
    block = NodeMessage(b"/x", VALUE, bytes([0, 1, 2, 1, 1])).encode()
    nodes = Nodes(block, hostile(2, "/y", [[1, 2], [2]]))
    with pytest.raises(BadDriveError) as caught:
        nodes.tree().find(2, ("x", "deeper"))
    assert caught.value.seq == 1


def test_a_deletion_that_is_listed_as_there_is_proved_false() -> None:
    nodes = Nodes(hostile(1, "/x", [[1], [1]], None))
    with pytest.raises(BadDriveError) as caught:
        nodes.paths()
    assert caught.value.seq == 1
    with pytest.raises(BadDriveError):
        nodes.tree().find(1, ("x",))


def test_a_name_that_is_a_folder_of_itself_ends() -> None:
    """Every list of every node leads to the others, and yet each step must go down one name."""
    paths = ["/a/a/a", "/a/a/b", "/a/b/a"]
    nodes = Nodes(*(hostile(seq, path, [[seq]] * 4) for seq, path in enumerate(paths, start=1)))
    assert nodes.paths() == ["/a/b/a"]
    assert nodes.tree().find(3, ("a", "a", "a")) is None
