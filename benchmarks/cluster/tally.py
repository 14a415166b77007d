"""Commands of sagas by node: what each node was sent, and whether it has the saga."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from amends.backend.scripts import DIGESTS
from benchmarks.monitor import Command, of_sagas

_SCRIPTS: Final = {digest: name for name, digest in DIGESTS.items()}
_COUNTS_LIVE: Final = "ZCARD"  # of who waits for the sagas
_OF_A_SAGA: Final = "}:saga:"


class Sent(NamedTuple):
    """A command as a node got it; `keys` are those of a script, else its first word."""

    name: str
    keys: tuple[str, ...]

    @classmethod
    def read(cls, command: Command) -> "Sent":
        """Read what MONITOR told. A script goes by its name."""
        words = command.words
        if command.name != "EVALSHA":
            return cls(command.name, tuple(words[1:2]))
        return cls(_SCRIPTS.get(words[1], words[1]), tuple(words[3 : 3 + int(words[2])]))

    @property
    def saga(self) -> str | None:
        """Id of the saga that a script is about, or None."""
        first = self.keys[0] if self.keys else ""
        return first.partition(_OF_A_SAGA)[2] or None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What sagas cost the nodes of their log.

    by_name: commands of a saga, by the script's name.
    by_node: commands of all sagas, node by node.
    elsewhere: commands with a key that the node does not have.
    strays: commands of no saga.
    on_several: sagas with commands on more than one node.
    """

    sagas: int
    by_name: Mapping[str, float]
    by_node: Sequence[int]
    elsewhere: int
    strays: int
    on_several: int

    @property
    def each(self) -> float:
        """Commands of a saga."""
        return sum(self.by_node) / self.sagas

    @property
    def skew(self) -> float:
        """Commands of the busiest node over those of the idlest."""
        return max(self.by_node) / max(min(self.by_node), 1)


def tally(
    heard: Sequence[Sequence[Command]], node_of: Callable[[str], int], *, sagas: int
) -> Tally:
    """Count what so many sagas cost.

    heard: what each node was sent; a worker's housekeeping is left out.
    node_of: tells the number of the node that has a key.
    """
    by_node = [
        [Sent.read(each) for each in of_sagas(list(commands), 0) if each.name != _COUNTS_LIVE]
        for commands in heard
    ]
    nodes: dict[str, set[int]] = defaultdict(set)
    for node, sent in enumerate(by_node):
        for each in sent:
            if each.saga is not None:
                nodes[each.saga].add(node)
    every = [(node, each) for node, sent in enumerate(by_node) for each in sent]
    names = Counter(each.name for _, each in every)
    return Tally(
        sagas=sagas,
        by_name={name: count / sagas for name, count in sorted(names.items())},
        by_node=[len(sent) for sent in by_node],
        elsewhere=sum(any(node_of(key) != node for key in each.keys) for node, each in every),
        strays=sum(each.saga is None for _, each in every),
        on_several=sum(len(places) > 1 for places in nodes.values()),
    )
