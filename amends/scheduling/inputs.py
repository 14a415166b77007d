"""What tells the input of one schedule from that of another."""

from types import FunctionType


def told_of(given: object) -> object:
    """Return what tells an input from another: of a function where it is defined, and what it was given there."""
    if not isinstance(given, FunctionType):
        return given
    kept = [cell.cell_contents for cell in given.__closure__ or ()]
    return (
        given.__module__,
        given.__code__.co_qualname,
        given.__code__.co_firstlineno,
        given.__defaults__,
        kept,
    )
