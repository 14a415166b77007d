"""The token of a link that gives a saga a signal: what it gives, in plain text, and a signature.

``<base64 of JSON>.<base64 of HMAC-SHA256>``, both for URLs and without padding. The signature is of the text before it, not
of what that decodes to, so that no other text means the same. Its last character is a letter or a digit, which no mail
program takes for the punctuation after a link.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final, Self

from pydantic_core import from_json, to_json

_MADE_FOR: Final = b"amends wait link 1:"
"""What is signed begins with this: a key that signs other things too signs no link by accident."""


@dataclass(frozen=True, kw_only=True)
class WaitLink:
    """A signal that whoever has the link may give."""

    saga: str  #: Name of the saga's definition.
    saga_id: str
    wait: str  #: Name of the wait.
    nonce: str  #: What tells this link from others to the same wait.
    expires_at: int  #: Seconds since 1970.
    by: str | None
    value: Any  #: The signal, JSON data.

    @property
    def signal_id(self) -> str:
        """The id of its signal: however often the link is used, it is one signal."""
        return f"link-{self.nonce}"

    def token(self, key: str) -> str:
        """Write and sign it."""
        text = _encoded(to_json(astuple(self)))
        return f"{text}.{_signature(text, key)}"

    @classmethod
    def read(cls, token: str, keys: Sequence[str]) -> Self | None:
        """Read a token that one of these keys signed; None for any other text."""
        text, _, signature = token.rpartition(".")
        if not token.isascii():
            return None
        if not any(hmac.compare_digest(signature, _signature(text, key)) for key in keys):
            return None
        saga, saga_id, wait, nonce, expires_at, by, value = from_json(
            urlsafe_b64decode(text + "=" * (-len(text) % 4))
        )
        return cls(
            saga=saga,
            saga_id=saga_id,
            wait=wait,
            nonce=nonce,
            expires_at=expires_at,
            by=by,
            value=value,
        )


def nonce_of(*parts: object) -> str:
    """Derive a nonce: the same from the same parts. It is no secret, the signature is."""
    return _encoded(hashlib.sha256(to_json(parts)).digest())[:16]


def _signature(text: str, key: str) -> str:
    signed = _MADE_FOR + text.encode()
    return _encoded(hmac.digest(key.encode(), signed, "sha256"))


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
