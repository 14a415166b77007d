"""What only the process knows that examines the clinic."""

from clinic import Job

from amends import activity


@activity
def admit(job: Job) -> None:
    """Go where nobody knows it."""


@activity(queue="nobody")
def wait(job: Job) -> None:
    """Go where nobody looks."""
