"""Whether a worker sends the events of tasks, which Flower switches on and off while it runs."""

from typing import Any, Final

from celery import bootsteps

from amends.log.owner import WorkerProcess

_INTERVAL: Final = 1.0


class MonitorSwitch(bootsteps.StartStopStep):
    """The consumer's bootstep that lets the rows of sagas follow the events of tasks.

    Celery tells nobody that its dispatcher was switched (``enable_events`` in celery/worker/control.py).
    """

    requires = ("celery.worker.consumer.events:Events",)
    _timer: Any = None

    def start(self, consumer: Any) -> None:
        """Look at the dispatcher now, and then every second."""
        _follow(consumer)
        self._timer = consumer.timer.call_repeatedly(_INTERVAL, _follow, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 - Celery's
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _follow(consumer: Any) -> None:
    dispatcher = consumer.event_dispatcher
    if dispatcher is not None:  # None while there is no connection
        sends_tasks = not dispatcher.groups or "task" in dispatcher.groups
        WorkerProcess.current.switch_events(on=dispatcher.enabled and sends_tasks)
