"""The table of a saga's steps, as `saga show` draws it."""


def do_and_undo(text: str) -> list[str]:
    """Return the rows of the steps without their heading, and without what each took and waited."""
    lines = text[text.index(" step ") :].split("\n\n", maxsplit=1)[0].splitlines()
    lines[0] = "  " + lines[0]  # the first column's heading is empty
    end = lines[0].index("took")
    return [line[:end].rstrip() for line in lines[1:]]
