"""The output that an operator gives for a step that was done by hand."""

from typing import Any

from celery import current_app

from amends.definition.serialization import output_text
from amends.errors import ActRefused
from amends.log.saga_log import SagaLog


def skipped_output(log: SagaLog, saga_id: str, path: str, output: Any) -> str:
    """Hold an output to the model of the activity that would have given it, and return its JSON.

    path: of the record that is skipped, or its step's name.

    Raises `ActRefused` where there is no such step, this process does not know its activity, or the output lacks, and
    pydantic's ``ValidationError``.
    """
    steps = {step.name: step for step in log.read_saga(saga_id).itinerary.steps}
    name = path.partition(":")[0]
    if name not in steps:
        raise ActRefused(saga_id, "skip", f"it has no step {name}")
    task = steps[name].activity.task
    if task not in current_app.tasks:
        raise ActRefused(
            saga_id,
            "skip",
            f"this process does not know {task}, and so not what its output is like: import the module that defines it",
        )
    activity: Any = current_app.tasks[task]
    model = activity.activity.output
    if model is not None and output is None:
        raise ActRefused(saga_id, "skip", f"{path} needs its output, a {model.__name__}")
    return output_text(model, output, activity=task)
