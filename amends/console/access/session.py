"""A session: who is signed in, in a signed cookie, and until when."""

import time
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.requests import Request

_NAME: Final = "amends_person"


def begin(request: Request, login: str, role: str, mark: str) -> None:
    """Begin a session, in place of any before.

    mark: what is to be the same for as long as it lasts.
    """
    session: MutableMapping[str, Any] = request.session
    session.clear()
    session[_NAME] = {"login": login, "role": role, "mark": mark, "at": int(time.time())}


def signed_in(request: Request, lasts: float) -> dict[str, Any] | None:
    """Return what `begin` kept; None without a session, and after its end.

    lasts: seconds from the sign-in on, however much is asked for meanwhile.
    """
    kept = request.session.get(_NAME)
    if not isinstance(kept, dict) or not 0 <= time.time() - kept.get("at", 0) + 1 <= lasts + 1:
        return None
    return kept


def end(request: Request) -> None:
    """End a session."""
    request.session.clear()
