"""The project. Celery's app is imported with it, in web processes and commands too."""

from shop.celery import app as celery_app

__all__ = ("celery_app",)
