"""The alert rules, and Prometheus' own promtool, which judges them."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ALERTS = Path(__file__).parents[4] / "monitoring" / "alerts.yml"
RULES = {
    rule["alert"]: rule
    for group in YAML(typ="safe").load(ALERTS)["groups"]
    for rule in group["rules"]
}


def judged(name: str, series: Mapping[str, str], *, fires: bool) -> dict[str, Any]:
    """Give what promtool is to look at: whether an alert fires at the end of two hours, or never did.

    series: samples a minute, as promtool writes them.
    """
    now = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) > bool 0'
    ever = f'count(count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[2h])) > bool 0'
    return {
        "interval": "1m",
        "input_series": [{"series": key, "values": value} for key, value in series.items()],
        "promql_expr_test": [
            {
                "expr": now if fires else ever,
                "eval_time": "119m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


class Promtool:
    """The program, with files of a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = shutil.which("promtool")
        if program is None:
            pytest.skip("there is no promtool: Debian's package `prometheus` has it")
        self._program = program

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run it, and return what it says."""
        return subprocess.run([self._program, *words], capture_output=True, text=True, check=False)

    def test(self, cases: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Hold cases of alerts, by their names, against the rules of these alone: all rules at each would take a minute."""
        files = []
        for name, tests in cases.items():
            rules = self._folder / f"rules-{name}.json"  # which is YAML too
            rules.write_text(json.dumps({"groups": [{"name": name, "rules": [RULES[name]]}]}))
            files.append(self._folder / f"cases-{name}.json")
            files[-1].write_text(json.dumps({"rule_files": [str(rules)], "tests": tests}))
        found = self.run("test", "rules", *map(str, files))
        assert found.returncode == 0, found.stdout + found.stderr
