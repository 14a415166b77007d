"""What only the process knows that examines the app."""

from amends import activity
from tests.integration.diagnosis.deployment.examined_app import Job


@activity(name="unregistered.admit")
def admit(job: Job) -> None:
    """Go where nobody knows it."""


@activity(queue="nobody")
def wait(job: Job) -> None:
    """Go where nobody looks."""
