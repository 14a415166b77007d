"""The table of the doctor's findings, and what the doctor can find."""

import re
from pathlib import Path

import amends
from amends.diagnosis.deployment.examination import CODES

PAGE = Path(amends.__file__).parent.parent / "docs" / "operating.md"
ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| (error|warning) \| \S.* \| \S.* \|$", re.MULTILINE)


def test_the_table_has_every_finding_and_no_other():
    told = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(told) == len(dict(told))
    assert dict(told) == {code: str(severity) for code, severity in CODES.items()}
