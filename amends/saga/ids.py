"""Ids of sagas, as callers give them."""

from uuid import UUID

from amends.definition.itinerary import Itinerary, is_saga_id

SagaId = str | UUID | int
"""What a saga may be called by; the log has the text of a UUID or a number."""


def id_text(saga_id: SagaId) -> str:
    """Return a saga's id as the log has it. Raises ``ValueError`` for what may be none."""
    is_number = isinstance(saga_id, int) and not isinstance(saga_id, bool)
    text = str(saga_id) if is_number or isinstance(saga_id, UUID) else saga_id
    if not is_saga_id(text):
        raise ValueError(
            f"saga_id {saga_id!r} is not 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit"
        )
    return text


def check_room(saga_id: str, itinerary: Itinerary) -> None:
    """Raise ``ValueError`` for an id that is too long for those of the saga's children, which begin with it."""
    for step in itinerary.steps if itinerary.requires > 2 else ():  # noqa: PLR2004 - the format that has children
        suffix = (
            f".{step.name}.1000-99"
            if itinerary.records[step.name].is_for_items
            else f".{step.name}-99"
        )
        if step.child and not is_saga_id(saga_id + suffix):
            raise ValueError(
                f"saga_id {saga_id!r} leaves no room for its child {step.name}, whose id is {saga_id}.{step.name}:"
                f" give it {128 - len(suffix)} characters at most"
            )
