"""Pools of greenlets, which cannot run async activities."""

from kombu.utils.compat import detect_environment

from amends.activities.protocol import Definition
from amends.errors import ConfigurationError


def check_pool(activity: Definition) -> None:
    """Raise `ConfigurationError` for an async activity in a process of greenlets: only one of them could run a loop."""
    if activity.is_async and (greenlets := greenlets_of_process()):
        raise ConfigurationError(
            f"{activity.name} is async def, and the greenlets of this pool ({greenlets}) cannot run an event loop: run its queue by a"
            " worker with --pool prefork, threads or solo"
        )


def greenlets_of_process() -> str | None:
    """Return the library that has made this process's threads greenlets, None for none."""
    found: str = detect_environment()
    return None if found == "default" else found
