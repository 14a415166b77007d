"""The barrier on a Redis: the key's state and the effect change in one script."""

from collections.abc import Sequence
from importlib.resources import files
from inspect import iscoroutinefunction
from typing import Any, Final

from amends.barrier.idempotency_key import checked_key
from amends.barrier.retention import AGE, LEAST_AGE, checked_age
from amends.errors import Refused

_MAKE, _UNDO = (
    (files("amends.barrier") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    for name in ("make_effect", "undo_effect")
)
_AROUND: Final = "local function effect(KEYS, ARGV, ANSWER)\n{}\nend\n"


class RedisBarrier:
    """Makes effects in a Redis once for each idempotency key.

    An effect is Lua: Redis runs it and the barrier in one script, so that there is never one without the other. A lock or a
    claim that expires cannot promise that: its owner may act after it has expired.

    client: redis-py's, also of a cluster; not one for asyncio.
    prefix: of the key that holds a state. In a cluster it has a hash tag that the effect's keys have too, like ``{shop}:``.
    keep_for: seconds from a state's last change until Redis forgets it. By default a year.
    least: the longest life of a saga plus `amends_retention`, in seconds. By default 97 days.

    Raises ``ValueError`` for a `keep_for` below `least`, ``TypeError`` for a client for asyncio.
    """

    def __init__(
        self,
        client: Any,
        *,
        prefix: str = "amends:barrier:",
        keep_for: float = AGE,
        least: float = LEAST_AGE,
    ) -> None:
        if iscoroutinefunction(client.execute_command):
            raise TypeError(
                "RedisBarrier takes a client of redis.Redis or redis.RedisCluster, and this is one for asyncio"
            )
        self._client = client
        self._prefix = prefix
        self._kept_for = int(checked_age(keep_for, least) * 1000)

    def make(
        self, key: str, effect: str, *, keys: Sequence[str] = (), args: Sequence[Any] = ()
    ) -> str | None:
        """Make the effect of a key if it was not made before; return the answer of the call that made it.

        key: the idempotency key: ``context().idempotency_key``, or what a request's header says.
        effect: Lua that reads `KEYS` and `ARGV`. What it returns, a string or a number, is the answer; ``{refused = reason}``
            refuses the call and leaves nothing. It checks first and writes last: an error takes back nothing that it wrote.
        keys: of Redis, for the effect.
        args: for the effect.

        Raises `Refused` if the key was undone or the effect refused, ``ValueError`` for a key that is none, and redis-py's
        errors; after an error of the script itself the key has no state, and the call can be repeated.
        """
        state, answer = self._run(_MAKE, key, effect, keys, args)
        if state == "undone":
            raise Refused(f"{key!r} was undone: nothing is done under it any more")
        if state == "refused":
            raise Refused(answer)
        return answer

    def undo(
        self, key: str, effect: str, *, keys: Sequence[str] = (), args: Sequence[Any] = ()
    ) -> bool:
        """Undo the effect of a key once, or leave a tombstone that refuses the call if it comes later.

        key: the idempotency key of the call: ``context().undoes.idempotency_key``.
        effect: Lua that reads `KEYS`, `ARGV` and `ANSWER`, the answer of the call that made the effect, or false.
        keys: of Redis, for the effect.
        args: for the effect.

        Returns whether this call undid it. Raises what `make` raises, but for `Refused`.
        """
        state, _ = self._run(_UNDO, key, effect, keys, args)
        return state == "took_effect"

    def _run(
        self, script: str, key: str, effect: str, keys: Sequence[str], args: Sequence[Any]
    ) -> tuple[str, str | None]:
        registered = self._client.register_script(_AROUND.format(effect) + script)
        own = [f"{self._prefix}{checked_key(key)}", *keys]
        state, answer = (*registered(keys=own, args=[self._kept_for, *args]), None)[:2]
        return _text(state), None if answer is None else _text(answer)


def _text(told: Any) -> str:
    """Read a string of Redis, also of a client with ``decode_responses``."""
    return told.decode() if isinstance(told, bytes) else str(told)
