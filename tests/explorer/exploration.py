"""Plays plots: once to find the points of each, and once for each point and kind."""

from dataclasses import dataclass
from typing import Any

import redis
from boundaries import watched
from celery import Celery
from judgement import wrongs_of
from moments import Diary
from plots import Plot, enter
from processes import pids_of_their_own
from strikes import Kind, Point, Strike
from worker import Broker
from world import World

from amends.config import settings_of
from amends.log import log_of


@dataclass(frozen=True, kw_only=True)
class Run:
    """What became of a run."""

    points: list[Point]
    struck_at: Point | None
    wrongs: list[str]
    status: str | None


class Explorer:
    """Plays runs one after another, on one broker and one log."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        settings = settings_of(app)
        self._client: Any = redis.Redis.from_url(settings.backend, decode_responses=True)
        log = log_of(app)
        log._store.prepare()
        self._diary = Diary(self._client, log)
        self._broker = Broker(app)
        self._known: dict[tuple[str, bool], list[Point]] = {}

    def close(self) -> None:
        """Let go of the broker and the log."""
        self._broker.close()
        self._client.close()

    def play(self, plot: Plot, strike: Strike | None = None) -> Run:
        """Play a plot to its end, and judge it."""
        self._diary.empty()
        self._broker.empty()
        world = World(self._app, self._broker, self._diary, plot, strike)
        enter(world)
        wrongs: list[str] = []
        with pids_of_their_own(), watched(world.striker):
            try:
                world.start()
                world.settle()
                if self._diary.read().status is None:
                    world.striker.thaw()
                    world.settle()
                end = self._diary.read()
                world.come_late()
                wrongs = wrongs_of(plot, world.evidence, end, self._diary.read())
            except Exception as error:  # noqa: BLE001 - a run that fails is a find, and others follow
                wrongs = [*world.ledger.wrongs, repr(error)]
            finally:
                world.end()
        return Run(
            points=world.striker.points,
            struck_at=world.striker.struck_at,
            wrongs=[*world.wrongs, *wrongs],
            status=self._diary.read().status,
        )

    def explore(self, plot: Plot, kind: Kind, *, points: slice) -> list[str]:
        """Strike at each of these points of a plot; answers what went wrong, and where."""
        every = self._points(plot, kind)
        found = []
        for at in range(1, len(every) + 1)[points]:
            point, run = every[at - 1], self.play(plot, Strike(at=at, kind=kind))
            if run.struck_at is None or run.struck_at.moments[0] != point.moments[0]:
                run.wrongs.append(f"the run went another way, and was struck at {run.struck_at}")
            found += [f"{plot.name}, {kind.name} at {at}, {point}: {wrong}" for wrong in run.wrongs]
        return found

    def _points(self, plot: Plot, kind: Kind) -> list[Point]:
        """Tell the points of a plot; who dies in it dies in the same way as who is struck."""
        key = (plot.name, kind.message_returns)
        if key not in self._known:
            self._known[key] = self.play(plot, Strike(at=0, kind=kind)).points
        return self._known[key]
