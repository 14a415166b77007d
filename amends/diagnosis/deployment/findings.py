"""Findings of a diagnosis, and the rules that produce them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Facts = TypeVar("Facts")


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Sagas break, or stand still."""
    WARNING = "warning"
    """Sagas go on, but slower, or not after the next fault."""
    OK = "ok"
    """This was looked at, and is as it should be."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong, where, and what to do about it."""

    what: str
    where: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one rule found; `code` is stable, for scripts. An OK has neither place nor remedy."""

    code: str
    severity: Severity
    what: str
    where: str = ""
    remedy: str = ""


class Unseen(Exception):  # noqa: N818 - it never leaves this package
    """Raised by a rule that does not apply here, or that cannot see what it is about."""


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[Facts]):
    """Something that has to hold: `find` yields what does not, and `fine` says what does where nothing is yielded.

    It may raise `Unseen`.
    """

    code: str
    severity: Severity
    fine: str
    find: Callable[[Facts], Iterable[Problem]]

    def apply(self, facts: Facts) -> Iterator[Finding]:
        """Look at these facts. Where nothing can be seen there is no finding, not even that all is well."""
        try:
            problems = list(self.find(facts))
        except Unseen:
            return
        for each in problems:
            yield Finding(
                code=self.code,
                severity=self.severity,
                what=each.what,
                where=each.where,
                remedy=each.remedy,
            )
        if not problems:
            yield Finding(code=self.code, severity=Severity.OK, what=self.fine)


def error(code: str, *, fine: str) -> Callable[[Callable[[Facts], Iterable[Problem]]], Rule[Facts]]:
    """Make a function a rule whose breach is an error."""
    return lambda find: Rule(code=code, severity=Severity.ERROR, fine=fine, find=find)


def warning(
    code: str, *, fine: str
) -> Callable[[Callable[[Facts], Iterable[Problem]]], Rule[Facts]]:
    """Make a function a rule whose breach is a warning."""
    return lambda find: Rule(code=code, severity=Severity.WARNING, fine=fine, find=find)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings, the worst first; what could not be looked at is not among them."""

    findings: Sequence[Finding]

    def of(self, severity: Severity) -> list[Finding]:
        """Select the findings of a severity."""
        return [each for each in self.findings if each.severity is severity]


def few(names: Iterable[str], most: int = 5) -> str:
    """List names, the first few of many."""
    known = sorted(names)
    rest = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + rest
