"""Profiles of the workers, in the log: the app of each, the tasks that it knows, and the queues that it consumes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Self

from pydantic_core import from_json

from amends.definition.serialization import canonical_json
from amends.log.store import Store

KEPT: Final = 60.0
"""Seconds that a profile outlives the last heartbeat of its workers: a restart takes no longer."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a worker takes. Workers of one deploy have the same."""

    app: str  #: Identity of its app, see `identity_of`.
    name: str = ""  #: Name of its app.
    tasks: frozenset[str] = field(default_factory=frozenset)  #: Activities that it knows.
    queues: frozenset[str] = field(default_factory=frozenset)  #: Queues that it consumes.

    def takes(self, task: str, queue: str | None) -> bool:
        """Tell whether its workers run a task whose messages are in a queue; None for an unknown one."""
        return task in self.tasks and (queue is None or queue in self.queues)

    @cached_property
    def text(self) -> str:
        """The profile as JSON."""
        lists = {"tasks": sorted(self.tasks), "queues": sorted(self.queues)}
        return canonical_json({"app": self.app, "name": self.name, **lists})

    @cached_property
    def digest(self) -> str:
        """The name of the profile in the log."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `text` is; fields of a later release are ignored."""
        said = from_json(text)
        return cls(
            app=said["app"],
            name=said["name"],
            tasks=frozenset(said["tasks"]),
            queues=frozenset(said["queues"]),
        )


class Profiles:
    """The profiles of all live workers. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys = [store.profiles_key, f"{store.profiles_key}:beaten"]

    def keep(self, profile: Profile) -> None:
        """Note that a worker with this profile lives."""
        if not self._keep(profile, ""):
            self._keep(profile, profile.text)

    def _keep(self, profile: Profile, text: str) -> bool:
        arguments = [profile.digest, round(KEPT * 1000), text]
        return bool(self._store.call_many("keep_profile", [(self._keys, arguments)])[0])

    def read_live(self) -> Sequence[Profile]:
        """Return the profiles of the workers that have beaten within `KEPT` seconds.

        Workers of an earlier release have none.
        """

        def command(client: Any) -> Any:
            seconds, micros = client.time()
            since = seconds * 1000 + micros // 1000 - round(KEPT * 1000)
            digests = client.zrangebyscore(self._keys[1], since, "+inf")
            return client.hmget(self._keys[0], digests) if digests else ()

        return [Profile.from_text(text) for text in self._store.read(command) if text]
