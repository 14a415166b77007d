"""What the log keeps of a failed attempt's error."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery import current_app
from pydantic_core import to_json

from amends.backend.settings import settings_of
from amends.definition.error_origin import frame_of, traceback_of
from amends.definition.serialization import error_members
from amends.errors import ConfigurationError


def failure_json(error: BaseException, function: Callable[..., Any]) -> str:
    """Write the error of an attempt for the log: as `error_json` does, with the ``frame`` that raised it.

    function: the activity's, whose package is the application's.

    With `amends_tracebacks` the ``traceback`` is in it too.
    """
    members = error_members(error)
    frame = frame_of(error, str(getattr(function, "__module__", "")).partition(".")[0])
    if frame is not None:
        members["frame"] = frame
        with suppress(
            ConfigurationError
        ):  # the failure is recorded whatever the settings are by now
            if settings_of(current_app).tracebacks:
                members["traceback"] = traceback_of(error)
    return to_json(members).decode()
