"""The console: sagas in a browser, for people who are paged.

An ASGI application that runs alone (``celery saga console``) or mounts in another one.
"""

import starlette_admin  # noqa: F401 - the first to be missed where the extra is not installed

from amends.console.site import application

__all__ = ["application"]
