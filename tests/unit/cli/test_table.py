"""Tables as lines of text."""

import click

from amends.cli.table import Cell, Column, paragraph_lines, table_lines

ROWS = [
    ["order-1", "7", "process_payment"],
    ["o-2", "12", "a very long error of which nobody wants to read all"],
]
COLUMNS = ["id", Column("attempts", right=True), Column("error", may_shrink=True)]


def test_columns_are_as_wide_as_what_is_in_them():
    assert table_lines(COLUMNS, ROWS[:1], width=None) == [
        "\x1b[2mid\x1b[0m       \x1b[2mattempts\x1b[0m  \x1b[2merror\x1b[0m",
        "order-1         7  process_payment",
    ]


def test_without_a_width_nothing_is_cut():
    assert table_lines(COLUMNS, ROWS, width=None)[-1].endswith(ROWS[1][2])


def test_what_may_shrink_is_cut_to_the_width():
    lines = [click.unstyle(line) for line in table_lines(COLUMNS, ROWS, width=40)]
    assert lines[-1] == "o-2            12  a very long error of…"
    assert max(len(line) for line in lines) == 40


def test_a_narrow_terminal_leaves_something_of_every_column():
    lines = [click.unstyle(line) for line in table_lines(COLUMNS, ROWS, width=5)]
    assert lines[-1] == "o-2            12  a very long…"


def test_a_row_may_end_early():
    assert table_lines(COLUMNS, [["order-1"]], width=None)[-1] == "order-1"


def test_a_style_does_not_count():
    line = table_lines(["id", "status"], [[Cell("o", {"fg": "red"}), "x"]], width=None)[-1]
    assert line == "\x1b[31mo\x1b[0m   x"


DROPPING = [*COLUMNS[:2], Column("error", may_drop=True)]


def test_what_may_drop_has_lines_of_its_own_where_it_has_no_room():
    lines = [click.unstyle(line) for line in table_lines(DROPPING, ROWS, width=42)]
    assert lines == [
        "id       attempts  error",
        "order-1         7  process_payment",
        "o-2            12",
        "  a very long error of which nobody wants",
        "  to read all",
    ]


def test_what_may_drop_stays_where_it_has_room():
    wide = table_lines(DROPPING, ROWS, width=200)
    assert wide == table_lines(DROPPING, ROWS, width=None)
    assert len(wide) == 3


def test_a_narrow_terminal_drops_what_it_has_no_room_for():
    lines = [click.unstyle(line) for line in table_lines(DROPPING, ROWS, width=18)]
    assert lines[2:4] == ["order-1         7", "  process_payment"]
    assert lines[5:] == ["  a very long", "  error of which", "  nobody wants to", "  read all"]


def test_a_text_that_goes_on_and_on_is_cut():
    rows = [["o", "1", "word " * 90]]
    *_, before, last = [click.unstyle(line) for line in table_lines(DROPPING, rows, width=42)]
    assert (before.split()[0], last) == ("word", "  …")


def test_a_paragraph_is_broken_between_words_and_hangs():
    pieces = [
        Cell("  error", {"dim": True}),
        Cell("  a/very/long/path/of/an/endpoint does not answer"),
    ]
    lines = [click.unstyle(line) for line in paragraph_lines(pieces, width=30, hang=9)]
    assert lines == [
        "  error",
        "         a/very/long/path/of/an/endpoint",
        "         does not answer",
    ]


def test_without_a_width_a_paragraph_is_one_line():
    assert len(paragraph_lines([Cell("word " * 90)], width=None)) == 1


def test_an_empty_cell_has_no_style():
    assert table_lines(["id"], [[Cell("", {"dim": True})]], width=None)[-1] == ""
