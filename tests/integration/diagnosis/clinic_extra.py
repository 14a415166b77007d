"""The clinic as one of its workers knows it, and the others do not yet."""

from amends import activity
from tests.integration.diagnosis.clinic import Job, app

__all__ = ["app"]


@activity(name="clinic_extra.operate")
def operate(job: Job) -> None:
    """Go where some do not know it."""
