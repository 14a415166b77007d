"""The output that an operator gives for a step that was done by hand."""

from typing import Any

from celery import current_app
from pydantic import BaseModel

from amends.definition.child_outputs import known_output
from amends.definition.plans import StepPlan
from amends.definition.serialization import held_to_size, output_text
from amends.errors import ActRefused
from amends.log.saga_log import SagaLog
from amends.saga.signals import signal_text


def skipped_output(log: SagaLog, saga_id: str, path: str, output: Any) -> str:
    """Hold an output to the model of the activity that would have given it, and return its JSON.

    path: of the record that is skipped, or its step's name. That of a step for each item takes the list of all outputs, and a
        wait for several signals a list of these.

    Raises `ActRefused` where there is no such step, this process does not know its activity, or the output lacks, and
    pydantic's ``ValidationError``.
    """
    itinerary = log.read_saga(saga_id).itinerary
    steps = {step.name: step for step in itinerary.steps}
    name = path.partition(":")[0].partition("[")[0]
    if name not in steps:
        raise ActRefused(saga_id, "skip", f"it has no step {name}")
    if wait := steps[name].wait:
        if wait.count <= 1:
            return signal_text(log, saga_id, name, output, None)
        if not isinstance(output, list):
            raise ActRefused(saga_id, "skip", f"{path} needs its output, a list of signals")
        texts = [signal_text(log, saga_id, name, each, None) for each in output]
        return held_to_size(f"[{','.join(texts)}]", f"the signals {name}")
    task, model = _model_of(steps[name], saga_id)
    is_list = path == name and itinerary.records[name].is_for_items
    if model is not None and (output is None or (is_list and not isinstance(output, list))):
        of_list = f"a list of {model.__name__}; or name one item, as {path}[1]"
        wanted = of_list if is_list else f"a {model.__name__}"
        raise ActRefused(saga_id, "skip", f"{path} needs its output, {wanted}")
    if not is_list or output is None:
        return output_text(model, output, activity=task)
    texts = [output_text(model, each, activity=task, may_be_none=True) for each in output]
    return held_to_size(f"[{','.join(texts)}]", f"the outputs of {task}")


def _model_of(step: StepPlan, saga_id: str) -> tuple[str, type[BaseModel] | None]:
    """Return the name of what gives a step's output, and the model of that, None where it has none."""
    if step.child:
        name, model = f"saga {step.child.saga}", known_output(step.child.saga)
        if model is not None:
            return name, model
    elif (name := step.activity.task) in current_app.tasks:
        task: Any = current_app.tasks[name]
        return name, task.activity.output
    raise ActRefused(
        saga_id,
        "skip",
        f"this process does not know {name}, and so not what its output is like: import the module that defines it",
    )
