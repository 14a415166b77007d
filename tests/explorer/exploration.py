"""Plays plots: once to find the points of each, and once for each point and kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import redis
from celery import Celery

from amends.backend.settings import settings_of
from amends.log.saga_log import log_of
from tests.explorer.boundaries import watched
from tests.explorer.crash_points import Kind, Point, Strike
from tests.explorer.explored_saga import enter
from tests.explorer.judgement import wrongs_of
from tests.explorer.log_moments import Diary, Moment
from tests.explorer.plots import PLOTS, Plot
from tests.explorer.processes import worlds_of_their_own
from tests.explorer.worker import NOW, Broker, build_tracers
from tests.explorer.world import World


@dataclass(frozen=True, kw_only=True)
class Run:
    """What became of a run."""

    points: list[Point]
    struck_at: Point | None
    wrongs: list[str]
    end: Moment | None

    @property
    def status(self) -> str | None:
        return self.end.status if self.end else None


class Explorer:
    """Plays runs one after another, on one broker and one log."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        settings = settings_of(app)
        self.client: Any = redis.Redis.from_url(settings.backend, decode_responses=True)
        log = log_of(app)
        log._store._prepare("start_saga")
        build_tracers(app)
        self._diary = Diary(self.client, log)
        self._broker = Broker(app)
        self._known: dict[tuple[str, bool, bool], list[Point]] = {}

    def close(self) -> None:
        """Let go of the broker and the log."""
        self._broker.close()
        self.client.close()

    def play(self, plot: Plot, strike: Strike | None = None) -> Run:
        """Play a plot to its end, and judge it."""
        self._diary.empty()
        self._broker.empty()
        world = World(self._app, self._broker, self._diary, plot, strike)
        enter(world)
        end, wrongs = None, []
        with worlds_of_their_own(self._app, now=NOW), watched(world.striker):
            try:
                world.start()
                world.settle()
                if self._diary.read().status is None:
                    world.striker.thaw()
                    world.settle()
                end = self._diary.read()
                if plot.is_removed:
                    world.remove()
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
            end=end,
        )

    def explore(self, plot: Plot, kind: Kind, *, wanted: slice = slice(None)) -> Iterator[str]:
        """Strike at the points of a plot, or at those wanted; tell what goes wrong, and where."""
        for at, point in self._own_points(plot, kind)[wanted]:
            run = self.play(plot, Strike(at=at, kind=kind))
            if run.struck_at is None or run.struck_at.moments[0] != point.moments[0]:
                run.wrongs.append(f"the run went another way, and was struck at {run.struck_at}")
            for wrong in run.wrongs:
                yield f"{plot.name}, {kind.name} at {at}, {point}: {wrong}"

    def _own_points(self, plot: Plot, kind: Kind) -> list[tuple[int, Point]]:
        """List the points of a plot, numbered, but those to which an earlier plot comes too."""
        points = self.points(plot, kind)
        earlier = () if plot.is_whole else PLOTS[: PLOTS.index(plot)]
        earlier = [each for each in earlier if _kind(each) == _kind(plot)]
        shared = max((_shared(points, self.points(each, kind)) for each in earlier), default=0)
        return list(enumerate(points, 1))[shared:]

    def points(self, plot: Plot, kind: Kind) -> list[Point]:
        """Tell all points of a plot."""
        # Who dies in a plot dies in the same way as who is struck.
        key = (plot.name, kind.message_returns, kind.does == "cut")
        if key not in self._known:
            self._known[key] = self.play(plot, Strike(at=0, kind=kind)).points
        return self._known[key]


def _shared(points: list[Point], others: list[Point]) -> int:
    """Count the points that two plots begin with."""
    pairs = zip(map(str, points), map(str, others), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _kind(plot: Plot) -> tuple[str, bool, bool]:
    """Tell which saga a plot is of."""
    return plot.dispatch, plot.has_stages, plot.has_waits
