"""The definitions that a process knows: what the log need not send it again."""

from amends.definition.itinerary import Itinerary


class Definitions:
    """The itineraries that this process has written or read, by their digests."""

    def __init__(self) -> None:
        self._itineraries: dict[str, Itinerary] = {}

    def __contains__(self, digest: str) -> bool:
        return digest in self._itineraries

    def known(self) -> str:
        """Write the digests of all as the scripts take them."""
        return ",".join(self._itineraries)

    def add(self, itinerary: Itinerary) -> None:
        """Know this one from now on."""
        self._itineraries[itinerary.digest] = itinerary

    def read(self, digest: str, text: str) -> Itinerary:
        """Return the itinerary with this digest; `text` has it as JSON, and may be '' where it is known."""
        if digest not in self._itineraries:
            self._itineraries[digest] = Itinerary.from_json(text)
        return self._itineraries[digest]
