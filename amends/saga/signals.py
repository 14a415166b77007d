"""Signals: what they are held to, and what a saga says to them."""

from collections.abc import Sequence
from typing import Any

from amends.definition.itinerary import Itinerary
from amends.definition.serialization import canonical_json, dumped, held_to_size, read_back
from amends.definition.signal_models import Models, known_models
from amends.errors import ActRefused, did_you_mean
from amends.log.saga_log import SagaLog
from amends.saga.stages import Stage, steps_of
from amends.saga.wait import Wait


def models_of(stages: Sequence[Stage]) -> Models:
    """Return the models of the signals that a saga of these stages waits for."""
    return {step.name: step.signal for step in steps_of(stages) if isinstance(step, Wait)}


def signal_fields(saga: str, name: str) -> list[str] | None:
    """List the fields of a signal of a saga, None where this process does not know what it is like."""
    model = known_models(saga).get(name)
    return None if model is None else [*model.model_fields]


def signal_text(log: SagaLog, saga_id: str, name: str, value: Any, models: Models | None) -> str:
    """Hold a signal to its model, and return its JSON.

    models: of the saga's signals; None to look for them by the saga's name.

    Raises `ActRefused` where the saga waits for none of that name, or this process does not know what it is like, and pydantic's
    ``ValidationError``.
    """
    if models is None:
        itinerary = log.read_saga(saga_id).itinerary
        models = _models_of(itinerary, saga_id, name)
    if name not in models:
        raise ActRefused(saga_id, "signal", f"it waits for no {name}{did_you_mean(name, models)}")
    what = f"the signal {name} of {saga_id}"
    return held_to_size(canonical_json(dumped(read_back(models[name], value, what))), what)


def _models_of(itinerary: Itinerary, saga_id: str, name: str) -> Models:
    names = [step.name for step in itinerary.steps if step.wait and step.wait.count]
    if name not in names:
        why = f"it waits for no {name}{did_you_mean(name, names)}"
        for step in itinerary.steps:
            if step.name == name:
                why = f"{name} {'waits for a time' if step.wait else 'is a step'}, and takes no signal"
        raise ActRefused(saga_id, "signal", why)
    models = known_models(itinerary.saga)
    if name not in models:
        raise ActRefused(
            saga_id,
            "signal",
            f"this process does not know saga {itinerary.saga}, and so not what {name} is like: import the module that"
            " defines it",
        )
    return models
