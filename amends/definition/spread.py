"""What is due at one time, spread over a while, so that receivers are not asked for all of it at once."""

from zlib import crc32


def spread_of(saga_id: str, seconds: float) -> float:
    """Return how much later than its time a saga's timer is due: within `seconds`, and always the same for the same saga."""
    return seconds * (crc32(f"spread:{saga_id}".encode()) / 2**32)
