import pytest

from nodevms.feed import flat_tree


def test_the_first_three_levels_are_numbered_as_in_the_spec() -> None:
    #        3
    #    1       5
    #  0   2   4   6
    assert [flat_tree.depth(i) for i in range(8)] == [0, 1, 0, 2, 0, 1, 0, 3]
    assert [flat_tree.parent(i) for i in (0, 2, 4, 6, 1, 5)] == [1, 1, 5, 5, 3, 3]
    assert [flat_tree.sibling(i) for i in (0, 2, 4, 6, 1, 5)] == [2, 0, 6, 4, 5, 1]
    assert flat_tree.children(3) == (1, 5)
    assert flat_tree.span(3) == (0, 4)
    assert flat_tree.span(6) == (3, 4)


@pytest.mark.parametrize("index", [*range(300), 2**40 - 1, 2**52 + 12345])
def test_relations_agree_with_each_other(index: int) -> None:
    up = flat_tree.parent(index)
    assert index in flat_tree.children(up)
    assert flat_tree.sibling(index) in flat_tree.children(up)
    assert flat_tree.sibling(index) != index
    assert flat_tree.node_index(flat_tree.depth(index), flat_tree.offset(index)) == index
    first, end = flat_tree.span(index)
    assert end - first == 1 << flat_tree.depth(index)
    assert first + end - 1 == index


@pytest.mark.parametrize("length", [*range(130), 8191, 8192, 8193, 9000, 2**40 + 5])
def test_roots_cover_exactly_the_leaves(length: int) -> None:
    spans = [flat_tree.span(root) for root in flat_tree.full_roots(length)]
    ends = [0, *(end for _, end in spans)]
    assert ends[:-1] == [first for first, _ in spans]
    assert ends[-1] == length
    sizes = [end - first for first, end in spans]
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize("length", range(130))
def test_unfinished_are_the_nodes_that_reach_over_the_end(length: int) -> None:
    expected = [i for i in range(max(2 * length - 1, 0)) if flat_tree.span(i)[1] > length]
    assert sorted(flat_tree.unfinished(length)) == expected
