"""Tables and paragraphs as lines of text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

import click

from amends.log.history import printable

_GAP: Final = "  "
_LEAST: Final = 12  # no column is cut to less
_MOST_BELOW: Final = 6  # lines of a text that has lines of its own


@dataclass(frozen=True)
class Cell:
    """A piece of text with a style, `click.style`'s arguments. What a terminal would obey in it is escaped."""

    text: str
    style: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text))

    def __str__(self) -> str:
        return click.style(self.text, **self.style) if self.text and self.style else self.text


@dataclass(frozen=True)
class Column:
    """A column: figures stand to the `right`, and text that `may_shrink` is cut where the room ends.

    Of the last one, a text that has no room `may_drop` to lines of its own.
    """

    heading: str
    right: bool = False
    may_shrink: bool = False
    may_drop: bool = False


def table_lines(
    columns: Sequence[Column | str], rows: Sequence[Sequence[Cell | str]], *, width: int | None
) -> list[str]:
    """Lay out a table in lines of at most `width` columns, where what may shrink allows it.

    A row may end early. Without a width nothing is cut.
    """
    known = [each if isinstance(each, Column) else Column(each) for each in columns]
    heading = [Cell(column.heading, {"dim": True}) for column in known]
    body = [[each if isinstance(each, Cell) else Cell(each) for each in row] for row in rows]
    widths = [
        max(len(cell.text) for cell in cells)
        for cells in zip_longest(*[heading, *body], fillvalue=Cell(""))
    ]
    if width is None:
        return [_line(known, widths, row) for row in [heading, *body]]
    if known[-1].may_drop:
        *others, _ = widths
        fitted = _fitted(known, others, width)
        widths = [*fitted, max(0, width - sum(fitted) - len(_GAP) * len(fitted))]
    else:
        widths = _fitted(known, widths, width)
    lines = [_lines(known, widths, row, width=width) for row in [heading, *body]]
    return [line for one in lines for line in one]


def _fitted(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    fitted = list(widths)
    while sum(fitted) + len(_GAP) * (len(fitted) - 1) > width:
        able = [k for k in range(len(fitted)) if columns[k].may_shrink and fitted[k] > _LEAST]
        if not able:
            break
        fitted[max(able, key=lambda k: fitted[k])] -= 1
    return fitted


def _lines(
    columns: Sequence[Column], widths: Sequence[int], row: Sequence[Cell], *, width: int
) -> list[str]:
    """Lay out a row, whose last text has lines of its own where it must."""
    *first, last = row
    if len(row) < len(columns) or not columns[-1].may_drop or len(last.text) <= widths[-1]:
        return [_line(columns, widths, row)]
    below = paragraph_lines([Cell(_GAP + last.text, last.style)], width=width)
    if len(below) > _MOST_BELOW:
        below = [*below[: _MOST_BELOW - 1], f"{_GAP}{Cell('…', last.style)}"]
    return [_line(columns, widths, first).rstrip(), *below]


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Cell]) -> str:
    pieces = []
    for k, (column, width, cell) in enumerate(zip(columns, widths, row, strict=False)):
        text = cut(cell.text, width)
        space = " " * (width - len(text))
        styled = str(Cell(text, cell.style))
        is_last = k == len(row) - 1 and not column.right
        pieces.append(space + styled if column.right else styled + ("" if is_last else space))
    return _GAP.join(pieces).rstrip(" ")


def paragraph_lines(
    pieces: Sequence[Cell], *, width: int | None, hang: int | None = None
) -> list[str]:
    """Lay out a text in lines of at most `width` columns, broken between words; a longer word has a line of its own.

    hang: columns that the lines behind the first one are indented; by default as far as that one is.
    """
    text = "".join(piece.text for piece in pieces)
    if width is None or len(text) <= width:
        return ["".join(map(str, pieces))]
    indent = " " * (len(text) - len(text.lstrip()) if hang is None else hang)
    words = [
        (word, piece.style) for piece in pieces for word in re.findall(r" +|[^ ]+", piece.text)
    ]
    lines: list[list[tuple[str, dict[str, Any]]]] = [[]]
    length = 0
    for word, style in words:
        if (
            length + len(word) > width
            and not word.isspace()
            and any(w.strip() for w, _ in lines[-1])
        ):
            lines.append([(indent, {})])
            length = len(indent)
        if len(lines) == 1 or length > len(indent) or not word.isspace():
            lines[-1].append((word, style))
            length += len(word)
    return ["".join(str(Cell(*each)) for each in _without_end(line)) for line in lines]


def _without_end(line: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    while len(line) > 1 and line[-1][0].isspace():
        line = line[:-1]
    return line


def cut(text: str, width: int) -> str:
    """Cut a text to `width` columns; the last one says that there is more."""
    return text if len(text) <= width else text[: width - 1] + "…"
