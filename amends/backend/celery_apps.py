"""Celery's apps: those that there are and will be, and the current one of a thread.

Celery keeps both in ``celery._state``, which has no public names for them. Where one is missing, apps are met when a
worker of theirs starts (``celeryd_init``), and the current app of a thread that had none stays the one made current last.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery, _state
from celery.app import app_or_default
from celery.signals import celeryd_init

_celery: Final[Any] = _state  # celery-types leaves out what is wanted of it here


def for_each_app(install: Callable[[Celery], None]) -> None:
    """Call `install` with each app once it is finalized, as ``shared_task`` does with its tasks."""
    connect = getattr(_celery, "connect_on_app_finalize", None)
    if connect is None:
        celeryd_init.connect(lambda instance, **_: install(instance.app), weak=False)
        return
    connect(install)
    list_apps = getattr(_celery, "_get_active_apps", tuple)
    for app in list_apps():  # one that touched its tasks before
        if app.finalized:
            install(app)


def is_current(app: Celery) -> bool:
    """Tell whether an app is this thread's current one."""
    return _current() is app


def known_app() -> Celery | None:
    """Return the app that this thread is given; None where Celery would make one up, which would stay the default one."""
    found: Celery | None = _current() or getattr(_celery, "default_app", None)
    return None if found is None or found.main == "default" else found


def current_task_class() -> Any:
    """Return the base of the tasks of this thread's current app; None if there is no app."""
    app = _current()
    return None if app is None else app.Task


def task_name(function: Callable[..., Any]) -> str:
    """Name a function's task as Celery does: in a script that is run, by the app that it has made before."""
    app = _current() if function.__module__ == "__main__" else None
    if app is None:
        return f"{function.__module__}.{function.__name__}"
    return str(app.gen_task_name(function.__name__, function.__module__))


@contextmanager
def current(app: Celery) -> Iterator[None]:
    """Make an app this thread's current one, and give back what was, if only that it was none."""
    before = _current()
    app.set_current()
    try:
        yield
    finally:
        if before is not None:
            before.set_current()
        elif hasattr(_celery, "_set_current_app"):
            _celery._set_current_app(None)  # noqa: SLF001


@contextmanager
def current_everywhere(app: Celery) -> Iterator[None]:
    """Make an app the current one of this thread and of all that have none of their own, and give back what was."""
    default = getattr(_celery, "default_app", None)
    with current(app):
        app.set_default()
        try:
            yield
        finally:
            if hasattr(_celery, "set_default_app"):
                _celery.set_default_app(default)


def _current() -> Any:
    """Return this thread's current app or None; ``celery.current_app`` would make one up."""
    of_thread = getattr(_celery, "_tls", None)
    return app_or_default() if of_thread is None else of_thread.current_app
