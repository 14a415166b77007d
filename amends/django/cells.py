"""Cells of the command line's tables as HTML."""

from typing import Any

from django.utils.html import format_html

from amends.cli.table import Cell


def html(cell: Cell | str) -> Any:
    """Return a cell's text, with a class for each part of its style."""
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    if not cell.style or not cell.text:
        return cell.text
    names = [str(value) if name == "fg" else name for name, value in cell.style.items() if value]
    return format_html(
        '<span class="{}">{}</span>', " ".join(f"amends-{each}" for each in names), cell.text
    )
