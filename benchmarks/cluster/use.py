"""What nodes spent on sagas, by their own counters: scripts, the thread, and the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Use:
    """What one node spent.

    scripts: seconds in scripts, of `calls` calls.
    thread: processor seconds of the thread that runs them.
    received, sent: bytes.
    """

    calls: float
    scripts: float
    thread: float
    received: float
    sent: float

    @classmethod
    def read(cls, client: Any) -> Self:
        """Read a node's counters; `thread` needs Redis 7 and is that of the process before."""
        stats, cpu = client.info("commandstats"), client.info("cpu")
        script, net = stats.get("cmdstat_evalsha", {"usec": 0, "calls": 0}), client.info("stats")
        suffix = "_main_thread" if "used_cpu_user_main_thread" in cpu else ""
        return cls(
            calls=script["calls"],
            scripts=script["usec"] / 1e6,
            thread=cpu[f"used_cpu_user{suffix}"] + cpu[f"used_cpu_sys{suffix}"],
            received=net["total_net_input_bytes"],
            sent=net["total_net_output_bytes"],
        )

    def __sub__(self, other: "Use") -> "Use":
        return Use(**{name: each - vars(other)[name] for name, each in vars(self).items()})


def read_all(clients: Sequence[Any]) -> list[Use]:
    """Read the counters of all nodes."""
    return [Use.read(client) for client in clients]
