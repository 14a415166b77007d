"""Room for the ids of a saga's children in its own."""

from amends.definition.itinerary import Itinerary, is_saga_id


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
