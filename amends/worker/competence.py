"""Which sagas a worker's sweep carries on, in a log that several apps may share."""

from collections.abc import Sequence
from functools import cached_property

from celery import Celery

from amends.backend.app_identity import identity_of
from amends.dispatch.children import STARTS
from amends.log.in_flight import Ended, Parked, Running, Waiting
from amends.log.profiles import Profile
from amends.log.saga_log import log_of


class Competence:
    """The competence of an app's workers, as the profiles say that are live when it is first asked."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def covers(self, found: Running | Waiting | Parked) -> bool:
        """Tell whether a saga is this app's to carry on: to judge its message by the broker, and to publish.

        It is if this app started it. Else its workers have to know the task that comes next, or the saga that does, unless that is a wait, and
        no worker of the app that started it may be alive: a process without workers of its identity may start sagas, too.
        """
        if found.app in ("", identity_of(self._app)):
            return True
        record = found.itinerary.records[found.path]
        step, task = record.step, record.call.task
        is_known = step.wait is not None or (
            step.child.saga in STARTS if step.child else task in self._app.tasks
        )
        return is_known and found.app not in self._live_apps

    def tells(self, found: Ended) -> bool:
        """Tell whether this app is to tell a saga that a child of it has ended, and to publish what follows there."""
        return found.app in ("", identity_of(self._app)) or found.app not in self._live_apps

    def is_left(self, found: Running | Waiting | Parked | Ended) -> bool:
        """Tell whether a saga that this app does not cover is left to workers of the one that started it, which live."""
        return found.app in self._live_apps

    @cached_property
    def _live_apps(self) -> frozenset[str]:
        return frozenset(each.app for each in self._profiles)

    @cached_property
    def _profiles(self) -> Sequence[Profile]:
        return log_of(self._app).profiles.read_live()
