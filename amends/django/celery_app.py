"""The Celery app of a project."""

from typing import Final

from celery import Celery

from amends.backend.celery_apps import known_app
from amends.errors import ConfigurationError

REMEDY: Final = "Import it in the __init__.py of the project's package: `from .celery import app as celery_app`."


def celery_app() -> Celery:
    """Return the project's app. Raises `ConfigurationError` if none was made in this process."""
    app = known_app()
    if app is None:
        raise ConfigurationError(f"no Celery app of this project is made in this process. {REMEDY}")
    return app
