"""The parts of a saga log, over one store."""

from collections.abc import Callable
from typing import Any

from amends.backend.client import Client
from amends.log.acts.act import AS_DEFAULT, ActsKept
from amends.log.acts.listing import Acts
from amends.log.answers import Itineraries
from amends.log.archiving.archiving import Archiving
from amends.log.control import SagaControl
from amends.log.dispatches import Dispatches
from amends.log.heartbeats import Workers
from amends.log.keys import ROOT
from amends.log.maintenance import Maintenance
from amends.log.profiles import Profiles
from amends.log.queries.children import Children
from amends.log.queries.lost_writes import LostWrites
from amends.log.reads import Reads
from amends.log.schedules.transitions import Schedules
from amends.log.starts import Starts
from amends.log.store import Store, Tell
from amends.log.waits import Waits
from amends.log.watermarks import Watermarks


class Parts(Reads, Dispatches):
    """A saga log without the transitions of a running saga."""

    def __init__(  # noqa: PLR0913 - each is a setting, and none travels far
        self,
        client: Client,
        *,
        shards: int = 64,
        root: str = ROOT,
        app_id: Callable[[], str] = lambda: "",
        give_up_after: float = 15.0,
        max_countdown: float = 300.0,
        parks_after: int = 5,
        tell: Tell | None = None,
        fast_path: bool = True,
        wait_replicas: int = 0,
        acts: ActsKept = AS_DEFAULT,
        kept_for: float | None = None,
    ) -> None:
        how: Any = {"tell": tell, "fast_path": fast_path, "wait_replicas": wait_replicas}
        self._store = Store(client, shards=shards, root=root, kept_for=kept_for, **how)
        self._definitions = Itineraries()
        self._shaped: set[str] = set()  # paths that were met in sagas that are not plain
        self.starts = Starts(self._store, self._definitions, app_id)
        self.acts = Acts(self._store, acts)
        self.control = SagaControl(self._store, acts)
        self.maintenance = Maintenance(self._store, self._definitions)
        self.archiving = Archiving(self._store)
        self.workers = Workers(self._store)
        self.profiles = Profiles(self._store)
        self.watermarks = Watermarks(self._store)
        self.lost_writes = LostWrites(self._store)
        self.children = Children(self._store, self.read_sagas)
        self.schedules = Schedules(self._store, acts)
        self.waits = Waits(self._store, self.read_status)
        self._give_up_after = give_up_after
        self._max_countdown = max_countdown
        self._parks_after = parks_after
