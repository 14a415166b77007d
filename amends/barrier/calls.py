"""What a block of the receiver's code is told: whether to act, and the answer that is kept."""

import json
from typing import Any, Final

LONGEST_ANSWER: Final = 65_535
"""Bytes of JSON: what MySQL's TEXT holds."""


class Call:
    """A call under an idempotency key: true for the first one, whose effect is to be made."""

    def __init__(
        self, *, is_first: bool, answer: str = "null", written_at: float | None = None
    ) -> None:
        self._is_first = is_first
        self._answer = answer
        self.written_at = written_at  #: `changed_at` of its row, if this block has written that.
        self.to_write: str | None = None  #: JSON that is still to be written into the row.

    def __bool__(self) -> bool:
        return self._is_first

    @property
    def answer(self) -> Any:
        """The answer that the first call kept, as JSON reads it; None if it kept none."""
        return json.loads(self._answer)

    def keep(self, answer: Any) -> None:
        """Keep an answer for duplicates of this call, and for its undo. It is written at the end of the block.

        answer: what JSON can write, at most 65,535 bytes of it: an id, not a document.

        Raises ``TypeError`` for what JSON cannot write, ``ValueError`` for more, and ``RuntimeError`` in a duplicate.
        """
        if not self._is_first:
            raise RuntimeError(
                "keep() is for the first call under a key, and this is a duplicate: call it under 'if first:'"
            )
        text = json.dumps(answer)
        if len(text) > LONGEST_ANSWER:
            raise ValueError(
                f"the answer is {len(text):,} bytes of JSON, and {LONGEST_ANSWER:,} can be kept: keep an id"
            )
        self._answer = self.to_write = text


class Undo:
    """The undo of a call: true if the call took effect, and no undo took that back before.

    answer: what the call kept, as JSON reads it; None if it kept nothing, or if there is nothing to undo.
    """

    def __init__(
        self, *, took_effect: bool, answer: str = "null", written_at: float | None = None
    ) -> None:
        self._took_effect = took_effect
        self.written_at = written_at  #: As in `Call`.
        self.answer: Any = json.loads(answer)

    def __bool__(self) -> bool:
        return self._took_effect
