"""The doctor: what would break sagas in an installation."""

from collections import Counter
from dataclasses import asdict
from typing import Any, Final

import click

from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.output import Output
from amends.cli.table import Cell
from amends.diagnosis.deployment.examination import examine
from amends.diagnosis.deployment.findings import Diagnosis, Finding, Severity

_STYLES: Final[dict[Severity, dict[str, Any]]] = {
    Severity.ERROR: {"fg": "red", "bold": True},
    Severity.WARNING: {"fg": "yellow"},
    Severity.OK: {"fg": "green"},
}

_LOG_FOUND: Final = frozenset({"log.away", "log.shards"})


@command("doctor")
@click.option("--strict", is_flag=True, help="Let a warning count as an error.")
def examine_app(output: Output, *, strict: bool) -> Exit | None:
    """Look for what would break sagas, in settings, Redis, broker and workers.

    Ends with 1 where there is an error, so that a deploy can run it. With --json, one document: findings, each with
    code, severity, what, where and remedy.
    """
    diagnosis = examine(output.app)
    if output.as_json:
        output.json({"findings": [asdict(finding) for finding in diagnosis.findings]})
    else:
        _print(output, diagnosis)
    if {finding.code for finding in diagnosis.of(Severity.OK)} >= _LOG_FOUND:
        output.note_if_empty()
    needs_a_person = diagnosis.of(Severity.ERROR) or (strict and diagnosis.of(Severity.WARNING))
    return Exit.ATTENTION if needs_a_person else None


def _print(output: Output, diagnosis: Diagnosis) -> None:
    for finding in diagnosis.findings:
        _print_finding(output, finding)
    counts = Counter(finding.severity for finding in diagnosis.findings)
    told = ", ".join(f"{severity} {counts[severity]}" for severity in Severity)
    output.line()
    output.line(told)


def _print_finding(output: Output, finding: Finding) -> None:
    severity = Cell(f"{finding.severity:<8}", _STYLES[finding.severity])
    output.line(severity, f" {finding.code:<26} {finding.what}")
    if finding.severity is not Severity.OK:
        space = " " * 9
        output.line(f"{space}where: {finding.where}")
        output.line(f"{space}do:    {finding.remedy}")
