"""Redis Clusters of a test's own: primaries, each with as many replicas as asked for."""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from demo.ports import LOOPBACK, is_taken
from demo.programs import running, start
from demo.servers import RedisServer
from tests.support.eventually import eventually
from tests.support.redis_servers import replicas_online
from tests.support.tls import Certificates

SLOTS: Final = 16_384
BUS: Final = 10_000
"""How far behind a node's port that of its bus is, by which the nodes of a cluster talk."""
NODE_TIMEOUT: Final = 2_000
"""Milliseconds after which a node that does not answer is taken for dead."""


class Node(RedisServer):
    """A Redis that is a part of a cluster."""

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        program: Path | None = None,
        tls: Certificates | None = None,
    ) -> None:
        port = _free_ports()
        settings = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(NODE_TIMEOUT),
            "cluster-config-file": "nodes.conf",
            "cluster-require-full-coverage": "no",
        }
        if tls is not None:
            settings |= {**tls.settings(port), "tls-cluster": "yes"}
        super().__init__(name, directory=directory, program=program, port=port, settings=settings)
        if tls is not None:
            self.url = self.url.replace("redis://", "rediss://")
            self.way = f"{self.url}{tls.query}"

    @property
    def client(self) -> Any:
        """A client of this node alone, which waits for nothing long."""
        once = Retry(NoBackoff(), 0)
        timeouts = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
        return Redis.from_url(self.way, decode_responses=True, retry=once, **timeouts)


_PATIENCE: Final = 5.0  # seconds


def _free_ports() -> int:
    """Return a free port whose bus port is free; the kernel gives neither to a connection meanwhile, as it does from 32,768 on."""
    while True:
        port = 12_000 + secrets.randbelow(BUS)
        if not is_taken(port) and not is_taken(port + BUS):
            return port


class OwnCluster:
    """A running cluster: its first nodes are primaries, and each of the others is a replica of one of them."""

    def __init__(self, nodes: Sequence[Node], primaries: int) -> None:
        self.nodes = nodes
        self.primaries = nodes[:primaries]

    @property
    def url(self) -> str:
        """What `amends_backend` is."""
        return ";".join(each.way.replace("://", "+cluster://") for each in self.primaries)

    def form(self) -> None:
        """Start all nodes, empty, and make a cluster of them."""
        start(*self.nodes)
        first, count = self.nodes[0], len(self.primaries)
        for k, node in enumerate(self.primaries):
            slots = range(k * SLOTS // count, (k + 1) * SLOTS // count)
            node.client.execute_command("CLUSTER ADDSLOTS", *slots)
            node.client.execute_command("CLUSTER SET-CONFIG-EPOCH", k + 1)
        for node in self.nodes[1:]:
            node.client.execute_command("CLUSTER MEET", LOOPBACK, first.port)
        for node in self.nodes:
            eventually(lambda node=node: self._known_to(node) == len(self.nodes))  # type: ignore[misc]
        for k, node in enumerate(self.nodes[count:]):
            primary = self.primaries[k % count]
            node.client.execute_command("CLUSTER REPLICATE", primary.client.cluster("myid"))
        for node in self.nodes:
            eventually(lambda node=node: node.client.cluster("info")["cluster_state"] == "ok")  # type: ignore[misc]
        for k, node in enumerate(self.primaries):
            replicas = len(self.nodes[count + k :: count])
            eventually(lambda node=node, n=replicas: node.client.wait(n, 1_000) == n)  # type: ignore[misc]

    def node_at(self, port: int) -> Node:
        """Return the node that listens on a port."""
        return next(node for node in self.nodes if node.port == port)

    def owners(self) -> list[Node]:
        """Return the nodes that have slots, by what any of them says that answers.

        Raises redis-py's errors where none does, or where slots have no node that lives.
        """
        for node in self.nodes:
            with contextlib.suppress(RedisError):
                told = node.client.cluster("nodes")
                break
        else:
            raise Lost("no node answers")
        found = {place: each for place, each in told.items() if each["slots"]}
        if any("fail" in each["flags"] for each in found.values()):
            raise Lost("slots have no node")
        return [self.node_at(int(place.rpartition(":")[2])) for place in sorted(found)]

    def owner_of(self, key: str) -> Node:
        """Return the node that has a key, by what it says itself."""
        slot = key_slot(key.encode())
        for node in self.owners():
            (own,) = (
                each for each in node.client.cluster("nodes").values() if "myself" in each["flags"]
            )
            if any(
                int(first) <= slot <= int(last[0] if last else first)
                for first, *last in own["slots"]
            ):
                return node
        raise Lost(f"no node has the slot of {key!r}")

    def answers(self, *, replicas: int = 0) -> bool:
        """Return whether every slot has a node that answers, and so many replicas have all that it wrote until now."""
        try:
            return all(replicas_online(node.client) >= replicas for node in self.owners())
        except RedisError:
            return False

    def replica_of(self, node: Node) -> Node:
        """Return a replica of a node."""
        of = {each: each.client.info("replication") for each in self.nodes if each is not node}
        return next(each for each, told in of.items() if told.get("master_port") == node.port)

    def hand_over(self, node: Node) -> Node:
        """Let a replica take a node's place, as before maintenance; return the replica when it has."""
        replica = self.replica_of(node)

        def takes_over() -> bool:
            with contextlib.suppress(ResponseError):  # refused by what is a primary already
                replica.client.execute_command("CLUSTER FAILOVER")
            return bool(replica.client.info("replication")["role"] == "master")

        eventually(takes_over, every=2.0)  # a request is given up after 5 s
        return replica

    @contextlib.contextmanager
    def moving(self, key: str, source: Node, target: Node) -> Iterator[None]:
        """Move the slot of a key, its other keys too, from node to node; the context is open with one half of them moved."""
        slot = key_slot(key.encode())
        ids = {node: node.client.cluster("myid") for node in (source, target)}
        target.client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
        source.client.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
        keys = source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 100_000)
        self._migrate(source, target, keys[: len(keys) // 2])
        yield
        keys = source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 100_000)
        self._migrate(source, target, keys)
        for node in (target, source, *self.owners()):
            node.client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])

    @staticmethod
    def _migrate(source: Node, target: Node, keys: Sequence[str]) -> None:
        if keys:
            command = ("MIGRATE", LOOPBACK, target.port, "", 0, 5_000, "KEYS", *keys)
            source.client.execute_command(*command)

    @staticmethod
    def _known_to(node: Node) -> int:
        known: dict[str, Any] = node.client.cluster("nodes")
        return sum("handshake" not in each["flags"] for each in known.values())


def nodes_in(directory: Path, count: int, **how: Any) -> list[Node]:
    """Make so many nodes, which do not run yet."""
    return [Node(f"node{k}", directory=directory, **how) for k in range(count)]


@contextlib.contextmanager
def own_cluster(
    directory: Path,
    *,
    primaries: int = 3,
    replicas: int = 0,
    program: Path | None = None,
    tls: Certificates | None = None,
) -> Iterator[OwnCluster]:
    """Run a cluster while the context is open.

    replicas: how many each primary has.
    program: its ``redis-server``; it has to know TLS for `tls`.
    """
    nodes = nodes_in(directory, primaries * (1 + replicas), program=program, tls=tls)
    cluster = OwnCluster(nodes, primaries)
    with running(*nodes):
        cluster.form()
        yield cluster
