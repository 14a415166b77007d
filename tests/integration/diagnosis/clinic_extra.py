"""The clinic as one of its workers knows it, and the others do not yet."""

from clinic import Job, app

from amends import activity

__all__ = ["app"]


@activity
def operate(job: Job) -> None:
    """Go where some do not know it."""
