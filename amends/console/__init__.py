"""The console: sagas in a browser, for people who are paged.

An ASGI application that runs alone (``celery saga console``) or mounts in another one.
"""

from amends.console.site import application

__all__ = ["application"]
