"""A user of the log's Redis with the rights of ``saga doctor --acl`` and no others, if LOG_USER names one.

Each Redis that is started here knows the user, also after a restart. The broker, which is Celery's, keeps its own.
"""

import os
from typing import Final

from amends.backend.rights import acl_line

_PASSWORD: Final = "loopback"  # noqa: S105 - of servers that nobody else reaches


def user_settings() -> list[str]:
    """Return the words of a Redis's command line that give it the user; none without LOG_USER."""
    user = os.environ.get("LOG_USER")
    if not user:
        return []
    words = acl_line(user, "amends:").replace("PASSWORD", _PASSWORD).split()
    return ["--user", *words[2:]]


def as_log_user(url: str) -> str:
    """Return the URL of a log in one of these Redis as the user's; unchanged without LOG_USER."""
    user = os.environ.get("LOG_USER")
    return url.replace("://", f"://{user}:{_PASSWORD}@", 1) if user else url
