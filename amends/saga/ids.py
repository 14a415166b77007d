"""Ids of sagas, as callers give them."""

from uuid import UUID

from amends.definition.itinerary import is_saga_id

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
