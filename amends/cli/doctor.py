"""The doctor: what would break sagas in an installation."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

import click

from amends.backend.rights import acl_line
from amends.backend.settings import settings_of
from amends.backend.url import nodes_of
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.formatting import moment
from amends.cli.output import Output
from amends.cli.table import Cell, Column
from amends.diagnosis.deployment.examination import examine
from amends.diagnosis.deployment.findings import Diagnosis, Finding, Severity
from amends.log.queries.lost_writes import LostWrite

_STYLES: Final[dict[Severity, dict[str, Any]]] = {
    Severity.ERROR: {"fg": "red", "bold": True},
    Severity.WARNING: {"fg": "yellow"},
    Severity.OK: {"fg": "green"},
}

_LOST: Final = (
    *("acknowledged", Column("id", may_shrink=True), "event"),
    *(Column("record", may_shrink=True), ""),
)
_REPEAT: Final = "An operator's act that was lost is to be repeated."
_COMPENSATED: Final = (
    "A lost compensation may be followed by a step that goes forward: cancel the saga, or check it."
)
_ADVICE: Final = {
    "saga.started": "A saga whose start was lost is started again by the same id, unless it had ended and amends_retention removed it.",
    "step.compensating": _COMPENSATED,
    "step.compensated": _COMPENSATED,
}
_LOG_FOUND: Final = frozenset({"log.away", "log.shards"})


@command("doctor")
@click.option("--strict", is_flag=True, help="Let a warning count as an error.")
@click.option("--verbose", is_flag=True, help="List also what is fine.")
@click.option(
    "--acl", metavar="USER", help="Print the ACL of a Redis user that may do all that sagas need."
)
@click.option(
    "--only-reads", is_flag=True, help="With --acl: of one that may look at sagas and do nothing."
)
@click.option(
    "--after-failover", is_flag=True, help="List what the saga log acknowledged and has lost."
)
@click.option(
    "--started",
    type=click.File(),
    help="With --after-failover: a file of ids, one a line, of sagas that were started; - is standard input.",
)
def examine_app(
    output: Output,
    *,
    strict: bool,
    verbose: bool,
    acl: str | None,
    only_reads: bool,
    after_failover: bool,
    started: Iterable[str] | None,
) -> Exit | None:
    """Look for what would break sagas, in settings, Redis, broker and workers.

    Ends with 1 where there is an error, so that a deploy can run it. With --json, one document: findings, each with
    code, severity, what, where and remedy. With --acl: acl, the command. With --after-failover: lost, each with saga_id, name, record, at and
    needs_check.
    """
    if after_failover:
        return _list_lost(output, [line.strip() for line in started or () if line.strip()])
    if acl:
        settings = settings_of(output.app)
        in_cluster = bool(nodes_of(settings.backend))
        root = settings.key_root
        line = acl_line(acl, root, in_cluster=in_cluster, only_reads=only_reads)
        if output.as_json:
            output.json({"acl": line})
        else:
            output.line(line)
        return None
    diagnosis = examine(output.app)
    if output.as_json:
        output.json({"findings": [asdict(finding) for finding in diagnosis.findings]})
    else:
        _print(output, diagnosis, verbose=verbose)
    if {finding.code for finding in diagnosis.of(Severity.OK)} >= _LOG_FOUND:
        output.note_if_empty()
    needs_a_person = diagnosis.of(Severity.ERROR) or (strict and diagnosis.of(Severity.WARNING))
    return Exit.ATTENTION if needs_a_person else None


def _list_lost(output: Output, started: Sequence[str]) -> Exit:
    retention = settings_of(output.app).retention
    lost = output.log.lost_writes.read(kept_for=retention, started=started)
    if output.as_json:
        told = [
            {**asdict(each), "at": moment(each.at), "needs_check": each.needs_check}
            for each in lost
        ]
        output.json({"lost": told})
    elif lost:
        output.table(_LOST, map(_lost_row, lost))
        output.line()
        if not all(each.needs_check for each in lost):
            output.line("A lost step is done again under its idempotency key.")
        for advice in dict.fromkeys(_ADVICE.get(each.name) for each in lost if each.needs_check):
            output.line(advice or _REPEAT)
    else:
        output.line("No worker misses a transition that the saga log acknowledged.", fg="green")
    return Exit.ATTENTION if lost else Exit.OK


def _lost_row(lost: LostWrite) -> list[Cell | str]:
    mark = Cell("check", _STYLES[Severity.ERROR]) if lost.needs_check else ""
    return [moment(lost.at)[:19], lost.saga_id, lost.name, lost.record or "", mark]


def _print(output: Output, diagnosis: Diagnosis, *, verbose: bool) -> None:
    fine = diagnosis.of(Severity.OK)
    if fine and not verbose:
        checks = "1 check" if len(fine) == 1 else f"{len(fine)} checks"
        output.line(f"{checks} found nothing wrong: --verbose lists them.", **_STYLES[Severity.OK])
    for severity in reversed(Severity):  # errors last: they are what a terminal shows
        for finding in diagnosis.of(severity):
            if verbose or severity is not Severity.OK:
                _print_finding(output, finding)
    counts = Counter(finding.severity for finding in diagnosis.findings)
    told = ", ".join(f"{severity} {counts[severity]}" for severity in Severity)
    output.line()
    output.line(told)


def _print_finding(output: Output, finding: Finding) -> None:
    severity = Cell(f"{finding.severity:<8}", _STYLES[finding.severity])
    output.line(severity, f" {finding.code:<26} {finding.what}", hang=36)
    if finding.severity is not Severity.OK:
        space = " " * 9
        output.line(f"{space}where: {finding.where}", hang=16)
        output.line(f"{space}do:    {finding.remedy}", hang=16)
