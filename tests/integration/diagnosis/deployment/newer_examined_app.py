"""The app as one of its workers knows it, and the others do not yet."""

from amends import activity
from tests.integration.diagnosis.deployment.examined_app import Job, app

__all__ = ["app"]


@activity(name="newer_examined.operate")
def operate(job: Job) -> None:
    """Go where some do not know it."""
