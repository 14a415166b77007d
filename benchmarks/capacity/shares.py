"""How evenly the shards of a log are spread over the nodes of a cluster: calculated, by the log's own keys."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from redis.crc import key_slot

from amends.log.keys import Keys

SLOTS: Final = 16_384
_FIRST: Final = 3
"""Primaries of a cluster that has grown, when it was made."""

Owners = Sequence[int]
"""The node of each slot."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many shards nodes have.

    fewest, most: of one node.
    busiest: share of the busiest node over the mean, by which it is full before the others.
    """

    shards: int
    nodes: int
    fewest: int
    most: int

    @property
    def busiest(self) -> float:
        """How much more than its even part the busiest node has, as a factor."""
        return self.most * self.nodes / self.shards


def at_once(nodes: int) -> Owners:
    """Return the owners in a cluster that was made of so many primaries: a range of slots each."""
    return [slot * nodes // SLOTS for slot in range(SLOTS)]


def grown(nodes: int) -> Owners:
    """Return the owners in a cluster of three that got the others one by one: each took an even part from every node."""
    owners = list(at_once(min(nodes, _FIRST)))
    for new in range(_FIRST, nodes):
        have = Counter(owners)
        gives = {node: have[node] - SLOTS // (new + 1) for node in range(new)}
        for slot, node in enumerate(owners):
            if gives.get(node, 0) > 0:
                gives[node] -= 1
                owners[slot] = new
    return owners


def doubled(nodes: int) -> Owners:
    """Return the owners in a cluster of three that was doubled until it had so many: each node gave its lower half to a new one.

    Raises ``ValueError`` for a number that no doubling of three comes to.
    """
    owners, have = list(at_once(_FIRST)), _FIRST
    while have < nodes:
        gives = {node: count // 2 for node, count in Counter(owners).items()}
        for slot, node in enumerate(owners):
            if gives.get(node, 0) > 0:
                gives[node] -= 1
                owners[slot] = node + have
        have *= 2
    if have != nodes:
        raise ValueError(f"{nodes} is no doubling of {_FIRST}")
    return owners


@cache
def slots_of(shards: int) -> Sequence[int]:
    """Return the slot of each shard."""
    keys = Keys(shards, is_spread=True)
    return [key_slot(keys.due_key(shard).encode()) for shard in range(shards)]


def share(shards: int, owners: Owners) -> Share:
    """Count the shards of each node."""
    nodes = max(owners) + 1
    counts = Counter(owners[slot] for slot in slots_of(shards))
    each = [counts[node] for node in range(nodes)]
    return Share(shards=shards, nodes=nodes, fewest=min(each), most=max(each))
