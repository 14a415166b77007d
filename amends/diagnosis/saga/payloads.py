"""The payloads of a saga as people may see them: without secrets, in every face."""

from typing import Any, Final

from celery import Celery
from pydantic_core import from_json

from amends.definition.child_outputs import known_output
from amends.definition.itinerary import RecordPlan
from amends.definition.secrets import masked
from amends.definition.signal_models import known_input, known_models
from amends.log.saga_state import Standing

UNKNOWN: Final = "(hidden: this process does not import the code that says what of it is secret)"
"""In place of a payload whose model this process does not have."""


def payloads_of(
    app: Celery, standing: Standing, *, with_input: bool, with_output: bool
) -> dict[str, Any]:
    """Return the saga's input, and the outputs by record, as far as they are asked for.

    Which fields are secret, the code says: ``app.loader.import_default_modules()`` comes before.
    """
    found: dict[str, Any] = {}
    saga = standing.entry.itinerary.saga
    if with_input:
        found["input"] = _shown(known_input(saga), standing.entry.input)
    if with_output:
        records, plans = standing.entry.records, standing.entry.itinerary.records
        found["outputs"] = {
            path: _shown(_model_of(app, saga, plans[path]), from_json(record.output))
            for path, record in records.items()
            if record.output is not None
        }
    return found


def _shown(model: Any, data: Any) -> Any:
    if data is None:
        return None
    return UNKNOWN if model is None else masked(model, data)


def _model_of(app: Celery, saga: str, plan: RecordPlan) -> Any:
    """Return the type of a record's output, None where this process does not know it."""
    step = plan.step
    if step.wait:
        model: Any = known_models(saga).get(step.name)
    elif step.child:
        model = known_output(step.child.saga)
    else:
        activity = getattr(app.tasks.get(plan.call.task), "activity", None)
        model = getattr(activity, "output", None)
    # The output of several signals, and of items that an operator did by hand, is a list.
    return None if model is None else model | list[model | None]
