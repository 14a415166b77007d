"""What may be an idempotency key."""

from typing import Final

LONGEST_KEY: Final = 512
"""Characters."""


def checked_key(key: str) -> str:
    """Return the key. Raises ``ValueError`` if a database could not tell it from another one."""
    # A database may compare without blanks at the end, and PostgreSQL's text has no NUL.
    is_key = isinstance(key, str) and key == key.strip() and key.isprintable()
    if not is_key or not 1 <= len(key) <= LONGEST_KEY:
        raise ValueError(
            f"the idempotency key is {key!r}, not 1 to {LONGEST_KEY} printable characters without blanks around them;"
            " a request without one is to be answered with 400"
        )
    return key
