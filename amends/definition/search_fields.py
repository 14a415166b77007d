"""The business fields that a saga is found by, and their entries in the log's search index.

An entry is ``<name>:<kind><bytes of the value>:<value>:``. Its length keeps a value, whatever is in it, from reading as the
entry of another one. The kind is t for a text, and n for a number, which has one spelling: ``17.50`` is ``17.5``.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, RootModel

from amends.definition.compatibility import is_union, plain, values_of
from amends.definition.input_mapping import field_at
from amends.definition.secrets import has_secret
from amends.errors import DefinitionError

MOST_FIELDS: Final = 5
LONGEST_VALUE: Final = 128
"""Characters of a value."""

RESERVED: Final = frozenset({"saga", "limit", "after"})
"""Arguments of `amends.find`, which no field may be called."""

_TYPES: Final = (str, int, float, Decimal, UUID)  # a bool is an int
_NUMBER: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,9})?", re.ASCII)
_ENTRY: Final = re.compile(rb"\w+:[a-z](\d+):")


def check_search(
    search: Mapping[str, str], saga_input: type[BaseModel], *, where: str
) -> dict[str, str]:
    """Return ``search=`` of a saga as its itinerary has it. Raises `DefinitionError`, which begins with `where`."""
    if not isinstance(search, Mapping) or not all(
        isinstance(each, str) for pair in search.items() for each in pair
    ):
        raise DefinitionError(
            f"{where}: search= is a dict of names and fields, as {{'customer': 'input.user_id'}}"
        )
    if len(search) > MOST_FIELDS:
        raise DefinitionError(
            f"{where}: search= has {len(search)} fields, and a saga is found by {MOST_FIELDS} at most"
        )
    for name, path in search.items():
        if not _is_name(name):
            raise DefinitionError(
                f"{where}: search= names {name!r}; a name is letters, digits and _"
            )
        if name in RESERVED:
            raise DefinitionError(
                f"{where}: search= names {name!r}, which is an argument of amends.find; call it otherwise"
            )
        annotation = field_at(path, {"input": saga_input}, where=f"{where}, search {name!r}")
        if has_secret(saga_input.model_fields[path.partition(".")[2]]):
            raise DefinitionError(
                f"{where}: search= names {path}, which is a secret: an index would show its values"
            )
        if not _is_indexed(annotation):
            raise DefinitionError(
                f"{where}: search= names {path}, which is no text or number; a saga is found by str, int, float, bool,"
                " Decimal, UUID, an enum of these, or one of them that may be None"
            )
    return dict(search)


def entries_of(search: Mapping[str, str], saga_input: BaseModel, *, what: str) -> list[str]:
    """Return the entry of each search field, '' for one that is None.

    what: names the input, to begin the message with.

    Raises ``ValueError`` for a value that is too long.
    """
    return [_entry_of(name, path, saga_input, what) for name, path in search.items()]


def _entry_of(name: str, path: str, saga_input: BaseModel, what: str) -> str:
    field = path.partition(".")[2]
    value = _unwrapped(getattr(saga_input, field))
    if value is None:
        return ""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    text = _number_text(Decimal(str(value))) if is_number else _text(value)
    if len(text) > LONGEST_VALUE:
        raise ValueError(
            f"{what}: {field} has {len(text)} characters, and a saga is found by {LONGEST_VALUE} at most:"
            f" shorten it, or take {name!r} out of the saga's search="
        )
    return _entry(name, "n" if is_number else "t", text)


def entries_for(name: str, value: object) -> list[str]:
    """Return the entries, one or two, of which a saga that is found by this value has one.

    A text that reads as a number is looked for as both. Raises ``ValueError`` for what no saga can be found by, and
    ``TypeError`` for what is neither a text nor a number.
    """
    if not _is_name(name):
        raise ValueError(f"{name!r} is no search field: a name is letters, digits and _")
    value = _unwrapped(value)
    if not isinstance(value, _TYPES):
        raise TypeError(f"{name} is {value!r}, and a saga is found by a text or a number")
    text = _text(value)
    if len(text) > LONGEST_VALUE:
        raise ValueError(
            f"{name} has {len(text)} characters, and a saga is found by {LONGEST_VALUE} at most"
        )
    entries = [_entry(name, "t", text)]
    if _NUMBER.fullmatch(text):
        entries.append(_entry(name, "n", _number_text(Decimal(text))))
    return entries


def parted(entries: str) -> frozenset[str]:
    """Part the entries that a saga has one after the other."""
    rest, found = entries.encode(), set()
    while head := _ENTRY.match(rest):
        end = head.end() + int(head[1]) + 1
        found.add(rest[:end].decode())
        rest = rest[end:]
    return frozenset(found)


def _entry(name: str, kind: str, text: str) -> str:
    try:
        return f"{name}:{kind}{len(text.encode())}:{text}:"
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} has half a surrogate, which is no text") from error


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # What looks alike is one text, however a keyboard or another system composes it.
    return unicodedata.normalize("NFC", str(value))


def _number_text(number: Decimal) -> str:
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_VALUE:
        return str(number)
    whole, _, part = f"{number:f}".partition(".")
    text = f"{whole}.{part}".rstrip("0").rstrip(".") if part else whole
    return "0" if text == "-0" else text


def _unwrapped(value: Any) -> Any:
    while isinstance(value, RootModel | Enum):
        value = value.root if isinstance(value, RootModel) else value.value
    return value


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def _is_indexed(annotation: Any) -> bool:
    kinds = set(_kinds(annotation)) - {NoneType}
    return bool(kinds) and all(
        isinstance(each, type) and issubclass(each, _TYPES) for each in kinds
    )


def _kinds(annotation: Any) -> Iterable[Any]:
    """Yield the types that a field's value may have."""
    annotation = plain(annotation)
    if is_union(annotation):
        for member in annotation.__args__:
            yield from _kinds(member)
    elif values := values_of(annotation):
        yield from map(type, values)
    else:
        yield annotation
