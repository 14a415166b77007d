"""Connections of circuit breakers to a Redis, or to each node of a cluster."""

from typing import Any

from amends.backend.client import Client
from amends.backend.cluster import Cluster, is_elsewhere
from amends.backend.redis_errors import ERRORS
from amends.breaker.connection import Commands, Connections, connections_to


def connections_of(client: Client, *, fast_path: bool = True) -> Connections:
    """Return the way to a client's Redis or cluster: past redis-py's layers, where `fast_path` and redis-py let it."""
    if isinstance(client, Cluster):
        return ClusterConnections(client, fast_path=fast_path)
    return connections_to(client, fast_path=fast_path)


class ClusterConnections:
    """The connections to each node of a cluster. What is sent in one go is for the key of its last command."""

    def __init__(self, cluster: Cluster, *, fast_path: bool) -> None:
        self._cluster = cluster
        self._fast_path = fast_path
        self._nodes: dict[Any, Connections] = {}

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands, and return the answers. Raises redis-py's errors."""
        *_, (_, key, *_) = commands
        try:
            return self._at(key).exchange(commands)
        except ERRORS as error:
            if not is_elsewhere(error):
                raise
        return [self._ask_cluster(key, each) for each in commands]

    def _ask_cluster(self, key: str, command: tuple[str, ...]) -> Any:
        asked: Any = self._cluster if command[1:] else self._cluster.node_of(key)
        return asked.execute_command(*command)

    def report(self, command: tuple[str, ...]) -> None:
        """Send a command whose answer is of no use. Raises redis-py's errors."""
        self._at(command[1]).report(command)

    def settle(self) -> None:
        """Wait until every node has taken all that was reported to it. Raises redis-py's errors."""
        for each in list(self._nodes.values()):
            each.settle()

    def connect_anew(self) -> None:
        """Close what no thread uses: a primary was demoted."""
        for each in list(self._nodes.values()):
            each.connect_anew()

    def _at(self, key: str) -> Connections:
        node = self._cluster.node_of(key)
        if node not in self._nodes:
            self._nodes.setdefault(node, connections_to(node, fast_path=self._fast_path))
        return self._nodes[node]
