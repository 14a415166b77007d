"""Stand-ins for what differs from one message to the next, and a message's text as a format with names in their place."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import re
from typing import Any, Final, NamedTuple

SAGA: Final = "amends0stands0for0a0saga"
"""Stands for the saga's id, which like this needs no escape in JSON nor in a ``repr``."""
NUMBER: Final = 10**15
"""Stands for the number of the first message; those after it count on."""
ITEM: Final = 2 * 10**15
"""Stands for the number of an item in the paths of its records."""
ORIGIN: Final = "amends0stands0for0a0process"
BODY: Final = "amends0stands0for0a0body"
TAG: Final = "amends0stands0for0a0tag"
CARRIER: Final = {"amends0trace": "amends0trace"}
"""Stands for the headers of a trace; and as the JSON between braces."""
TRACE: Final = '"amends0trace": "amends0trace"'
_NAMES: Final = {SAGA: "saga", str(ITEM): "item", ORIGIN: "origin", BODY: "body", TAG: "tag"}
_TRACES: Final = re.compile(r'"amends0trace":\s*"amends0trace"')
_NUMBERS: Final = re.compile(r"\b1000000000(\d{6})\b")


class Own(NamedTuple):
    """What is a message's own: its saga's id, the number of the first message, the item that it is for, or '', and its headers.

    These are those of its trace, as JSON without the braces.
    """

    saga_id: str
    number: int
    item: str = ""
    trace: str = ""


EACH: Final = Own(SAGA, NUMBER, str(ITEM), TRACE)
"""Stands for all of it."""


def formatted(app: Any, text: str) -> str:
    """Make a text one for ``%``, with names for what stands for something."""
    text = text.replace("%", "%%")
    for stand_in, name in (*_NAMES.items(), (app.thread_oid, "reply_to")):
        text = text.replace(stand_in, f"%({name})s")
    text = _TRACES.sub("%(trace)s", text)
    return _NUMBERS.sub(lambda found: f"%(n{int(found[1])})d", text)
