"""Causes: what sagas have in common that stand at the same record with the same error."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from amends.definition.paths import without_item
from amends.log.queries.summary import SagaSummary

_LONGEST: Final = 500  # characters of a text that causes are told apart by
_KIND: Final = re.compile(r"[A-Za-z_][\w.]*(?=: )")
_WORD: Final = re.compile(r"\w(?:(?:[\w.-]|(?<=\d),(?=\d))*\w)?")
_NUMBER: Final = re.compile(r"[\d.,-]{1,12}[A-Za-zµ]{0,2}")  # a longer one is an id
_KEY: Final = re.compile(r"[0-9a-f]{8}")


def error_of(summary: SagaSummary) -> str | None:
    """Return what went wrong last in a saga, on one line; of a parked one, why. None if nothing did."""
    text = summary.reason if summary.is_parked else summary.error
    return " ".join(text.split()) if text else None


def pattern_of(text: str, saga_id: str) -> str:
    """Return an error's text with ``<id>`` and ``<n>`` for ids and numbers, so that sagas with one cause have one text.

    text: name of the error's type, which stays as it is, a colon, and its message.
    saga_id: of the saga that has the error.
    """
    named = _KIND.match(text)
    kind = named[0] if named else ""
    rest = re.sub(rf"(?<![\w-]){re.escape(saga_id)}(?![\w-])", "<id>", text[len(kind) : _LONGEST])
    return kind + _WORD.sub(_without_digits, rest)


def _without_digits(word: re.Match[str]) -> str:
    if not any(map(str.isdigit, word[0])):
        return word[0]
    return "<n>" if _NUMBER.fullmatch(word[0]) else "<id>"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What went wrong, and where."""

    saga: str  #: Name of the sagas' definition.
    record: str | None  #: Path of the present record, without its item; None if there is none.
    error: str | None  #: See `pattern_of`; None if nothing went wrong.

    @classmethod
    def of(cls, summary: SagaSummary) -> Self:
        """Return the cause for which a saga stands where it does."""
        record, error = summary.record, error_of(summary)
        return cls(
            saga=summary.saga,
            record=record and without_item(record),
            error=error and pattern_of(error, summary.id),
        )

    @property
    def key(self) -> str:
        """Eight hexadecimal digits that name it, in every process the same: `Query` takes them as its `cause`."""
        text = "\n".join([self.saga, self.record or "", self.error or ""])
        return sha256(text.encode()).hexdigest()[:8]


def check_cause(key: str) -> str:
    """Return the key of a cause. Raises ``ValueError`` for what can be none."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no cause: take its 8 digits from `saga stuck`")
    return key
