"""How shards are spread over nodes."""

from collections import Counter

import pytest

from benchmarks.capacity.shares import SLOTS, at_once, doubled, grown, share


@pytest.mark.parametrize(
    ("owners", "nodes"),
    [*((made, nodes) for made in (at_once, grown) for nodes in (1, 3, 5, 12, 48)), (doubled, 12)],
)
def test_each_node_has_an_equal_part_of_the_slots(owners, nodes):
    counts = Counter(owners(nodes))
    assert len(counts) == nodes
    assert sum(counts.values()) == SLOTS
    assert max(counts.values()) - min(counts.values()) < nodes


@pytest.mark.parametrize(("nodes", "fewest", "most"), [(3, 21, 22), (12, 5, 6), (48, 1, 2)])
def test_a_cluster_made_at_once_has_a_shard_more_or_less_on_each_node(nodes, fewest, most):
    found = share(64, at_once(nodes))
    assert (found.fewest, found.most) == (fewest, most)
    assert found.busiest == most * nodes / 64


def test_a_cluster_that_was_doubled_is_as_even_as_one_made_at_once():
    for nodes in (3, 6, 12, 24, 48):
        assert share(1_024, doubled(nodes)).busiest <= share(1_024, at_once(nodes)).busiest + 0.1


def test_no_doubling_of_three_comes_to_every_number():
    with pytest.raises(ValueError, match="9 is no doubling of 3"):
        doubled(9)
