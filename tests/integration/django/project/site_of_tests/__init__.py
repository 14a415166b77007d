"""A project as Celery's documentation says to lay one out."""

from site_of_tests.celery import app as celery_app

__all__ = ("celery_app",)
