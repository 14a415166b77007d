"""The rights that a user of the log's Redis needs: commands, keys and channels, as ``ACL SETUSER`` takes them."""

import re
from typing import Final

from amends.backend.scripts import SCRIPTS

_BY_SCRIPTS: Final = frozenset(
    command.lower()
    for text in SCRIPTS.values()
    for command in re.findall(r"redis\.p?call\('([A-Za-z]+)'", text)
)
_BY_CLIENTS: Final = frozenset(
    [
        *("evalsha", "eval", "script|load", "time", "ping", "info", "config|get"),
        *("get", "set", "exists", "hget", "hgetall", "hmget", "hexists", "hdel", "lrange"),
        *("zadd", "zcard", "zcount", "zrange", "zrangebyscore", "zrevrangebyscore", "xrevrange"),
        *("zremrangebyrank", "expire"),
        *("zlexcount", "zrangebylex", "zrevrangebylex", "zrem"),
        *("multi", "exec", "select", "hello", "auth", "wait", "subscribe"),
    ]
)
_READING: Final = frozenset(
    [
        *("evalsha", "eval", "script|load", "time", "ping", "info", "config|get", "get", "exists"),
        *(
            "hget",
            "hgetall",
            "hmget",
            "hexists",
            "llen",
            "lrange",
            "xrevrange",
            "zscore",
            "zmscore",
        ),
        *("zcard", "zcount", "zrange", "zrangebyscore", "zrevrangebyscore"),
        *("zlexcount", "zrangebylex", "zrevrangebylex"),
        *("multi", "exec", "select", "hello", "auth"),
    ]
)
"""Those of them that a look at sagas and circuit breakers needs; none writes."""
_IN_A_CLUSTER: Final = frozenset({"cluster|slots", "command", "asking", "readonly"})


def acl_line(user: str, root: str, *, in_cluster: bool = False, only_reads: bool = False) -> str:
    """Return the command that gives a user all that sagas and circuit breakers need, and no more.

    user: its name.
    root: what all keys and channels begin with.
    in_cluster: whether it is for the nodes of a cluster, each of which has to be given it.
    only_reads: whether the user may look at sagas and do nothing: no command of theirs writes.
    """
    needed = _READING if only_reads else _BY_SCRIPTS | _BY_CLIENTS
    commands = needed | (_IN_A_CLUSTER if in_cluster else frozenset())
    granted = " ".join(f"+{command}" for command in sorted(commands))
    itself = re.sub(r"([*?\[\]\\])", r"\\\1", root)  # in a pattern
    channels = "resetchannels" if only_reads else f"resetchannels &{itself}*"
    of_log = f"resetkeys ~{itself}* {channels}"
    return f"ACL SETUSER {user} on >PASSWORD {of_log} -@all {granted}"
