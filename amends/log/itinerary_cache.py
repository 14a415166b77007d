"""A cache of definitions: the log sends a process only those that it lacks."""

from amends.definition.itinerary import Itinerary


class Definitions:
    """Itineraries that this process has written or read, by digest."""

    def __init__(self) -> None:
        self._itineraries: dict[str, Itinerary] = {}

    def __contains__(self, digest: str) -> bool:
        return digest in self._itineraries

    def known(self) -> str:
        """Return all digests, joined by commas, as the scripts take them."""
        return ",".join(self._itineraries)

    def add(self, itinerary: Itinerary) -> None:
        """Keep an itinerary."""
        self._itineraries[itinerary.digest] = itinerary

    def read(self, digest: str, text: str) -> Itinerary:
        """Return an itinerary by its digest. `text` is its JSON, and may be '' if the cache has it."""
        if digest not in self._itineraries:
            self._itineraries[digest] = Itinerary.from_json(text)
        return self._itineraries[digest]
