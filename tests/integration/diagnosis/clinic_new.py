"""What only the process knows that examines the clinic."""

from amends import activity
from tests.integration.diagnosis.clinic import Job


@activity(name="clinic_new.admit")
def admit(job: Job) -> None:
    """Go where nobody knows it."""


@activity(queue="nobody")
def wait(job: Job) -> None:
    """Go where nobody looks."""
